//! Every route of the system on one page: method, path, who may, handler.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::Serialize;

use super::{App, assets, health};
use crate::error::Error;
use crate::uploads::tus;

/// Who may use a route. The extractors enforce it; the tests walk the table and demand that each
/// route answers as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody.
    Anyone,
    /// Every signed-in person, about himself or herself only.
    SignedIn,
    /// Learners and teachers of the course.
    CourseMember,
    /// A teacher somewhere.
    Teacher,
    /// A teacher of the course of the path.
    CourseTeacher,
    /// A helper somewhere; sees own households only.
    Helper,
    /// The helper of the household of the path.
    HouseholdHelper,
    /// An administrator somewhere.
    Administrator,
    /// An administrator of the area of the path.
    AreaAdministrator,
}

/// One row of the table.
pub struct Route {
    /// HTTP method.
    pub method: Method,
    /// Path with `{names}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    handler: MethodRouter<App>,
}

fn route<H, T>(method: Method, path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    Route {
        method,
        path,
        access,
        handler: on(filter, handler),
    }
}

fn get<H, T>(path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    route(Method::GET, path, access, handler)
}

/// The table.
#[must_use]
pub fn table() -> Vec<Route> {
    use Access as A;
    vec![
        get("/healthz", A::Anyone, health::alive),
        get("/readyz", A::Anyone, health::ready),
        get("/static/{*path}", A::Anyone, assets::serve),
        route(Method::OPTIONS, "/uploads", A::Anyone, tus::options),
        route(Method::POST, "/uploads", A::Teacher, tus::create),
        route(Method::HEAD, "/uploads/{upload_id}", A::Teacher, tus::head),
        route(
            Method::PATCH,
            "/uploads/{upload_id}",
            A::Teacher,
            tus::patch,
        ),
        route(
            Method::DELETE,
            "/uploads/{upload_id}",
            A::Teacher,
            tus::terminate,
        ),
        route(
            Method::POST,
            "/uploads/{upload_id}",
            A::Teacher,
            tus::overridden,
        ),
    ]
}

/// What no row matches.
async fn nothing_here() -> Error {
    Error::NotFound
}

/// The table as a router.
pub fn router() -> Router<App> {
    table()
        .into_iter()
        .fold(Router::new(), |router, row| {
            router.route(row.path, row.handler)
        })
        .fallback(nothing_here)
}
