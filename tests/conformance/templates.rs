//! Groups `templates-rules` and `templates-notify`: upstream's tables of template expansions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use watchfire::model::Labels;
use watchfire::template::notify::{self, AlertData, Data};
use watchfire::template::rules::{Expander, QuerySample, SampleText};
use watchfire::template::{
    FunctionSet, List, ListType, Map, MapType, Template, Type, Value, gotime,
};
use watchfire::time::{Timestamp, WallTime};

use crate::harness::{Group, folder};

static ANYS: ListType = ListType::plain("[]interface {}", Type::ANY);
static STRINGS: ListType = ListType::plain("[]string", Type::STRING);
static ANY_MAP: MapType = MapType::plain("map[string]interface {}", Type::ANY);

fn read(path: &str) -> Option<Json> {
    let text = std::fs::read_to_string(folder()?.join(path)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn labels(json: &Json) -> Labels {
    let pairs = json.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name, value.as_str().unwrap())))
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(v) => Value::Bool(*v),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(n) => n
            .as_i64()
            .map(Value::Int)
            .or_else(|| n.as_u64().map(Value::Uint))
            .unwrap_or_else(|| Value::Float(n.as_f64().unwrap())),
        Json::Array(items) => {
            let strings = !items.is_empty() && items.iter().all(Json::is_string);
            let ty = if strings { &STRINGS } else { &ANYS };
            Value::List(List::new(ty, items.iter().map(value).collect()))
        }
        Json::Object(entries) => {
            let entries: BTreeMap<Arc<str>, Value> = entries
                .iter()
                .map(|(key, item)| (Arc::from(key.as_str()), value(item)))
                .collect();
            Value::Map(Map::new(&ANY_MAP, entries))
        }
    }
}

#[test]
fn templates_rules() {
    let Some(table) = read("templates/prometheus/template_cases.json") else {
        return;
    };
    let mut group = Group::new("templates-rules");
    let external_url = table["externalURL"].as_str().unwrap();
    let name = table["template_name"].as_str().unwrap();
    let now = Timestamp::from_ms(table["now_ms"].as_i64().unwrap());
    for case in table["cases"].as_array().unwrap() {
        let query = |_: &str, _: Timestamp| Ok(samples(&case["query_result"]));
        let expander = Expander {
            name,
            external_labels: &Labels::empty(),
            external_url,
            now,
            query: &query,
        };
        let data = value(&case["input"]);
        let text = case["text"].as_str().unwrap();
        let html = case["html"] == Json::Bool(true);
        let strict = case["options"]
            .as_array()
            .is_some_and(|options| options.iter().any(|o| o == "missingkey=error"));
        let found = if strict {
            strictly(&expander, text, &data, html)
        } else {
            expander
                .expand_with(text, &data, html)
                .map_err(|e| e.to_string())
        };
        let want = match case["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(case["output"].as_str().unwrap().to_owned()),
        };
        group.check(case["name"].as_str().unwrap(), same(&found, &want));
    }
    group.finish();
}

fn strictly(
    expander: &Expander<'_>,
    text: &str,
    data: &Value,
    html: bool,
) -> Result<String, String> {
    let functions = expander.functions();
    let template = Template::parse(expander.name, text, &functions)
        .map_err(|e| e.to_string())?
        .missing_key_is_error();
    let out = if html {
        template.execute_html(&functions, data)
    } else {
        template.execute(&functions, data)
    };
    out.map_err(|e| format!("error executing template {}: {e}", expander.name))
}

fn samples(json: &Json) -> Vec<QuerySample> {
    let none = Vec::new();
    let list = json.as_array().unwrap_or(&none);
    list.iter()
        .map(|sample| QuerySample {
            labels: labels(&sample["labels"]),
            value: match &sample["value"] {
                Json::String(text) => SampleText::Histogram(histogram(text)),
                number => SampleText::Float(number.as_f64().unwrap()),
            },
        })
        .collect()
}

/// The table names histograms in words of its own.
fn histogram(text: &str) -> String {
    text.replace("histogram{", "{").replace(",sum", ", sum")
}

fn same(found: &Result<String, String>, want: &Result<String, String>) -> Result<(), String> {
    if found == want {
        Ok(())
    } else {
        Err(format!("\n    want {want:?}\n    got  {found:?}"))
    }
}

#[test]
fn templates_notify() {
    let Some(table) = read("templates/alertmanager/template_cases.json") else {
        return;
    };
    let mut group = Group::new("templates-notify");
    for case in table.as_array().unwrap() {
        let now = WallTime::ZERO;
        let data = notification_data(&case["data"]);
        let text = case["in"].as_str().unwrap();
        let found = expand_notification(text, &data, case["html"] == Json::Bool(true), now);
        let outcome = if case["fail"] == Json::Bool(true) {
            found.map_or(Ok(()), |text| Err(format!("should fail, gave {text:?}")))
        } else if let Some(error) = case["expErr"].as_str() {
            same(&found, &Err(error.to_owned()))
        } else {
            same(&found, &Ok(case["exp"].as_str().unwrap().to_owned()))
        };
        let title = case["title"].as_str().unwrap();
        group.check(title, outcome);
    }
    group.finish();
}

/// What a case's data are: notification data, or any value.
enum Input {
    Data(Box<Data>),
    Value(Value),
}

fn notification_data(json: &Json) -> Input {
    let is_data = json.as_object().is_some_and(|object| {
        object
            .keys()
            .all(|key| key.starts_with(|c: char| c.is_uppercase()))
    });
    if !is_data {
        return Input::Value(match json.as_str().and_then(gotime::Time::parse_rfc3339) {
            Some(time) => Value::Time(time),
            None => value(json),
        });
    }
    let set = |key: &str| json.get(key).map(labels).unwrap_or_default();
    let none = Vec::new();
    let alerts = json.get("Alerts").and_then(Json::as_array).unwrap_or(&none);
    Input::Data(Box::new(Data {
        receiver: String::new(),
        status: String::new(),
        alerts: alerts
            .iter()
            .map(|alert| AlertData {
                status: alert["Status"].as_str().unwrap_or("").to_owned(),
                labels: alert.get("Labels").map(labels),
                annotations: alert.get("Annotations").map(labels),
                starts_at: WallTime::ZERO,
                ends_at: WallTime::ZERO,
                generator_url: String::new(),
                fingerprint: String::new(),
            })
            .collect(),
        notification_reason: String::new(),
        group_labels: set("GroupLabels"),
        common_labels: set("CommonLabels"),
        common_annotations: set("CommonAnnotations"),
        route_labels: set("RouteLabels"),
        external_url: String::new(),
    }))
}

fn expand_notification(
    text: &str,
    data: &Input,
    html: bool,
    now: WallTime,
) -> Result<String, String> {
    match data {
        Input::Data(data) => {
            let texts = notify::TemplateSet::new();
            if html {
                texts.html(text, data, now)
            } else {
                texts.text(text, data, now)
            }
            .map_err(|e| e.to_string())
        }
        Input::Value(value) => {
            let functions: FunctionSet<'_> = notify::functions(now);
            let template = Template::parse("", text, &functions).map_err(|e| e.to_string())?;
            if html {
                template.execute_html(&functions, value)
            } else {
                template.execute(&functions, value)
            }
            .map_err(|e| e.to_string())
        }
    }
}
