//! Turns an error's problem into a page when a browser asked for one.

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use millet_web::pages::problem;

use super::App;
use crate::error::{Error, Problem};
use crate::people::View;
use crate::request::RequestId;

/// Rewrites problem JSON as a page in the reader's language; leads who is not signed in to sign-in.
pub async fn for_people(State(app): State<App>, request: Request, next: Next) -> Response {
    let page_wanted = wants_page(request.headers());
    let (mut parts, body) = request.into_parts();
    let Ok(id) = RequestId::from_request_parts(&mut parts, &app).await;
    let view = if page_wanted {
        View::from_request_parts(&mut parts, &app).await
    } else {
        Err(Error::Busy)
    };
    let here = (parts.method == axum::http::Method::GET)
        .then(|| parts.uri.path_and_query().map(ToString::to_string))
        .flatten();
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else {
        return response;
    };
    let Ok(view) = view else { return response };
    if problem.code() == "sign-in-needed" {
        let next: String = url::form_urlencoded::byte_serialize(
            here.unwrap_or_else(|| "/courses".into()).as_bytes(),
        )
        .collect();
        return Redirect::to(&format!("/sign-in?next={next}")).into_response();
    }
    let retry = response.headers().get(header::RETRY_AFTER).cloned();
    match page(&view, &problem, &id) {
        Ok(mut page) => {
            if let Some(retry) = retry {
                page.headers_mut().insert(header::RETRY_AFTER, retry);
            }
            page
        }
        Err(error) => error.into_response(),
    }
}

fn page(view: &View, problem: &Problem, id: &RequestId) -> Result<Response, Error> {
    let code = problem.code().to_owned();
    let (reason, next) = match problem.reason {
        Some(reason) if code == "conflict" => (
            format!("conflict-{reason}"),
            format!("next-conflict-{reason}"),
        ),
        Some(reason) => (format!("invalid-{reason}"), format!("next-{code}")),
        None => (String::new(), format!("next-{code}")),
    };
    let number = problem
        .limit_bytes
        .or(problem.retry_after_s)
        .and_then(|number| i64::try_from(number).ok());
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    view.page_with(
        status,
        &problem::Problem {
            code,
            status: i64::from(problem.status),
            field: problem
                .field
                .map_or_else(String::new, |field| format!("field-{field}")),
            reason,
            next,
            number: number.unwrap_or(0),
            request_id: id.as_str().to_owned(),
        },
    )
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}
