//! Refuses forms and sockets that another site made a browser send, and tells browsers what a
//! page of ours may load.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;
use crate::error::Error;

/// Everything from this server, nothing inline; `blob:` is how Media Source Extensions play.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; media-src 'self' blob:; connect-src 'self'; font-src 'none'; \
    manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// Checks where a changing request or a socket comes from, before any handler runs.
///
/// Cookies are `SameSite=Lax`; this is the second bolt (OWASP CSRF Prevention Cheat Sheet,
/// "Verifying Origin With Standard Headers").
///
/// # Errors
/// [`Error::WrongOrigin`].
pub async fn same_origin(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let headers = request.headers();
    let socket = headers.contains_key(header::UPGRADE);
    let allowed = if safe && !socket {
        true
    } else {
        let named = |value: &HeaderValue| {
            let origin = value.to_str();
            origin.is_ok_and(|origin| is_ours(&app, headers, origin))
        };
        if headers.contains_key(header::ORIGIN) {
            headers.get_all(header::ORIGIN).iter().all(named)
        } else {
            // A socket always names its origin; an old browser's form may not.
            !socket && !crossed_sites(headers)
        }
    };
    if !allowed {
        return Err(Error::WrongOrigin);
    }
    Ok(next.run(request).await)
}

fn is_ours(app: &App, headers: &HeaderMap, origin: &str) -> bool {
    if app.config.public_url.as_deref() == Some(origin) {
        return true;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let named = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    named.is_some() && named == host
}

fn crossed_sites(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

/// Adds the headers that every answer carries.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fixed = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(self), microphone=(self), geolocation=()",
        ),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
    // Pages hold personal data on shared phones: nothing is kept unless a handler says so.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
