use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::cluster::Exporter;
use crate::daemon::Clock;
use crate::time::WallTime;

/// Serves all exporters of the cluster on one port, which it returns: `/JOB/metrics`.
pub(super) async fn start(clock: Clock, started: WallTime) -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let answer = move |Path(job): Path<String>| async move {
        let minutes = clock.now().since(started).as_secs_f64() / 60.0;
        page(&job, minutes)
    };
    let app = Router::new().route("/{job}/metrics", get(answer));
    tokio::spawn(async move {
        // It ends with the process; an error would mean that the listener is gone.
        let _ = axum::serve(listener, app).await;
    });
    Ok(port)
}

fn page(job: &str, minutes: f64) -> Response {
    let Some(exporter) = Exporter::ALL
        .into_iter()
        .find(|exporter| exporter.job() == job)
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match exporter.page(minutes) {
        Some(page) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            page,
        )
            .into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
