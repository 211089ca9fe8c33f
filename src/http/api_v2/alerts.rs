use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{Refusal, RouterInfo, body, coded, flag, handle, list, posted, refused, write};
use crate::alerting::matchers::{Syntax, fell_back, parse_matcher};
use crate::alerting::receivers::{NotifyContext, expand_route_labels};
use crate::alerting::router::{AlertState, AlertView, GroupView};
use crate::alerting::{Matcher, Notification, NotifyReason, Route, Router};
use crate::http::{Params, State};
use crate::model::{Alert, Labels};
use crate::text::quote::quote;
use crate::text::regex::Regex;
use crate::time::WallTime;

/// What the parameters of both lists ask for.
struct Filter {
    active: bool,
    silenced: bool,
    inhibited: bool,
    matchers: Vec<Matcher>,
    receiver: Option<Regex>,
    receiver_matchers: Vec<Matcher>,
}

impl Filter {
    fn read(params: &Params, syntax: Syntax) -> Result<Self, Refusal> {
        let receiver = match params.get("receiver") {
            "" => None,
            // compat: anchored, without the dot matching newlines.
            text => Some(
                Regex::unanchored(&format!("^(?:{text})$")).map_err(|error| {
                    let why = format!("failed to parse receiver param: {error}");
                    refused(StatusCode::BAD_REQUEST, &why)
                })?,
            ),
        };
        Ok(Self {
            active: flag(params, "active", true),
            silenced: flag(params, "silenced", true),
            inhibited: flag(params, "inhibited", true),
            matchers: matchers(params, "filter", syntax)?,
            receiver,
            receiver_matchers: matchers(params, "receiver_matchers", syntax)?,
        })
    }

    fn wants(&self, view: &AlertView) -> bool {
        let status = &view.status;
        (self.active || status.state != AlertState::Active)
            && (self.silenced || status.silenced_by.is_empty())
            && (self.inhibited || status.inhibited_by.is_empty())
            && self
                .matchers
                .iter()
                .all(|m| m.matches(view.alert.labels.get(&m.name).unwrap_or_default()))
    }

    /// Whether a receiver of this name, with the labels that the configuration gives it, is wanted.
    fn wants_receiver(&self, name: &str, labels: &[(String, Labels)]) -> bool {
        let named = self.receiver.as_ref().is_none_or(|re| re.is_match(name));
        named && {
            let own = labels.iter().find(|(n, _)| n == name).map(|(_, l)| l);
            self.receiver_matchers.iter().all(|m| {
                let value = own.and_then(|labels| labels.get(&m.name));
                m.matches(value.unwrap_or_default())
            })
        }
    }

    fn asks_for_receivers(&self) -> bool {
        self.receiver.is_some() || !self.receiver_matchers.is_empty()
    }
}

/// The matchers of a parameter that may be repeated.
pub(super) fn matchers(
    params: &Params,
    name: &str,
    syntax: Syntax,
) -> Result<Vec<Matcher>, Refusal> {
    params
        .all(name)
        .map(|text| {
            let matcher = parse_matcher(syntax, text)
                .map_err(|error| refused(StatusCode::BAD_REQUEST, &error.to_string()))?;
            if syntax == Syntax::Fallback
                && let Some(told) = fell_back(text)
            {
                let suggestion = told.suggestion.as_str();
                tracing::warn!(input = text, origin = "api", suggestion, "{told}");
            }
            Ok(matcher)
        })
        .collect()
}

/// The receivers with their labels, the name among them.
pub(super) fn receiver_labels(handle: &super::Handle) -> Vec<(String, Labels)> {
    handle
        .info()
        .receivers
        .iter()
        .map(|receiver| {
            let labels = receiver
                .labels
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .chain([("name", receiver.name.as_str())]);
            (receiver.name.clone(), Labels::from_pairs(labels))
        })
        .collect()
}

/// `GET /api/v2/alerts`
pub(super) async fn list(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let params = query(request, &state).await?;
    let filter = Filter::read(&params, handle.syntax())?;
    let now = (state.now)();
    let receivers = receiver_labels(&handle);
    let all = handle.act(|router| router.fingerprints()).await;
    let write = move |router: &Router, out: &mut String, fingerprint| {
        let Some(view) = router.alert(fingerprint, now) else {
            return false;
        };
        let receiver = |name: &String| filter.wants_receiver(name, &receivers);
        let wanted = filter.wants(&view)
            && (!filter.asks_for_receivers() || view.receivers.iter().any(receiver));
        if wanted {
            write::alert(out, &view);
        }
        wanted
    };
    Ok(list::respond(handle, all.unwrap_or_default(), write).await)
}

/// `GET /api/v2/alerts/groups`
pub(super) async fn groups(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let params = query(request, &state).await?;
    let muted = flag(&params, "muted", true);
    let filter = Filter::read(&params, handle.syntax())?;
    let now = (state.now)();
    let info = handle.info();
    let receivers = receiver_labels(&handle);
    let wanted = Arc::new(move |route: &Route| {
        !filter.asks_for_receivers() || filter.wants_receiver(&route.receiver, &receivers)
    });
    let filter = Filter::read(&params, handle.syntax())?;
    let on_route = Arc::clone(&wanted);
    let (all, labelled) = handle
        .act(move |router| {
            let mut routes = router.config().tree.routes().iter();
            let labelled = routes.any(|route| !route.labels.is_empty());
            (router.group_ids(|route| on_route(route)), labelled)
        })
        .await
        .unwrap_or_default();
    let write = move |router: &Router, out: &mut String, id| {
        let view = router.group(id, now, |route| wanted(route), |view| filter.wants(view));
        let Some(mut view) = view.filter(|view| muted || view.muted_by.is_empty()) else {
            return false;
        };
        if !view.route_labels.is_empty() {
            view.route_labels = route_labels(&info, &view, now);
        }
        write::group(out, &view, labelled);
        true
    };
    Ok(list::respond(handle, all, write).await)
}

/// The labels of a group's route, with their templates expanded for the group.
fn route_labels(info: &RouterInfo, view: &GroupView, now: WallTime) -> Vec<(String, String)> {
    let notification = Notification {
        id: 0,
        attempt: 0,
        receiver: view.receiver.clone(),
        integration: 0,
        group_key: view.key.clone(),
        group_labels: view.labels.clone(),
        route_labels: view.route_labels.clone(),
        alerts: view.alerts.iter().map(|a| a.alert.clone()).collect(),
        reason: NotifyReason::FirstNotification,
        now,
        deadline: now,
        kept: None,
    };
    let context = NotifyContext {
        templates: &info.templates,
        external_url: &info.external_url,
        now,
        kept: None,
        read_file: &|_| Err("no file is read here".to_owned()),
        hostname: "",
        seed: 0,
        aws: None,
    };
    expand_route_labels(&context, &notification)
}

/// The parameters of a GET.
pub(super) async fn query(request: Request<Body>, state: &State) -> Result<Params, Refusal> {
    let (parts, body) = request.into_parts();
    Params::read(&parts, body, state.limits.form_bytes)
        .await
        .map_err(|_| refused(StatusCode::BAD_REQUEST, "the parameters cannot be read"))
}

/// `POST /api/v2/alerts`
pub(super) async fn take(
    Extract(state): Extract<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let handle = handle(&state)?;
    let (parts, payload) = request.into_parts();
    let payload = body::bytes(&parts, payload, state.limits.push_bytes, "alerts").await?;
    let alerts = match posted::read(&payload) {
        Some(alerts) => alerts,
        None => read_alerts(&payload)?,
    };
    drop(payload);
    let refusals = handle.take((state.now)(), alerts).await;
    if refusals.is_empty() {
        return Ok(StatusCode::OK.into_response());
    }
    // compat: upstream's list of errors prints them with a separator.
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    Err(refused(StatusCode::BAD_REQUEST, &texts.join("; ")))
}

/// Reads a body step by step, to say what is wrong with it.
fn read_alerts(payload: &[u8]) -> Result<Vec<Alert>, Refusal> {
    let items = match body::parse(payload, "alerts")? {
        Value::Array(items) => items,
        Value::Null => return Err(body::required("alerts", "body")),
        other => {
            let why = format!(
                "json: cannot unmarshal {} into Go value of type models.PostableAlerts",
                body::kind(&other)
            );
            return Err(body::unreadable("alerts", &why));
        }
    };
    let mut alerts = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        if let Some(alert) = read_alert(at, item)? {
            alerts.push(alert);
        }
    }
    Ok(alerts)
}

/// One alert of the body; null is none.
fn read_alert(at: usize, item: &Value) -> Result<Option<Alert>, Refusal> {
    let object = match item {
        Value::Object(object) => object,
        Value::Null => return Ok(None),
        other => {
            let why = format!(
                "json: cannot unmarshal {} into Go value of type models.PostableAlert",
                body::kind(other)
            );
            return Err(body::unreadable("alerts", &why));
        }
    };
    let starts_at = body::time(object, "startsAt", "alerts", "PostableAlert.startsAt")?;
    let ends_at = body::time(object, "endsAt", "alerts", "PostableAlert.endsAt")?;
    let annotations = body::text_map(object, "annotations", "alerts", "PostableAlert.annotations")?;
    let labels = body::text_map(object, "labels", "alerts", "Alert.labels")?;
    let url = body::text(object, "generatorURL", "alerts", "Alert.generatorURL")?;
    let url = url.unwrap_or_default();
    if !url.is_empty() && !is_uri(url) {
        let message = format!(
            "{at}.generatorURL in body must be of type uri: {}",
            quote(url)
        );
        return Err(coded(StatusCode::UNPROCESSABLE_ENTITY, 601, &message));
    }
    let labels = labels.ok_or_else(|| body::required(&format!("{at}.labels"), "body"))?;
    Ok(Some(Alert {
        labels: Labels::from_pairs(labels),
        annotations: Labels::with_empty_values(annotations.unwrap_or_default()),
        starts_at: starts_at.unwrap_or(WallTime::ZERO),
        ends_at: ends_at.unwrap_or(WallTime::ZERO),
        generator_url: url.into(),
        updated_at: WallTime::ZERO,
        timeout: false,
    }))
}

/// compat: `url.ParseRequestURI`: absolute, or a path from the root.
pub(super) fn is_uri(text: &str) -> bool {
    if text.chars().any(|c| c.is_ascii_control() || c == ' ') {
        return false;
    }
    text.starts_with('/')
        || text.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        })
}
