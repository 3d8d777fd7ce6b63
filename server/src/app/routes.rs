//! Every route of the system on one page: method, path, who may, handler.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::map_response;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::Serialize;

use super::{App, assets, health};
use crate::completion;
use crate::error::Error;
use crate::learning;
use crate::live::{self, deck_routes as decks, guests, on_air, schedule_routes as schedule};
use crate::people::{self, account_routes as account, admin_routes as admin};
use crate::plans;
use crate::stream::{media, socket};
use crate::teaching::outline_routes as outline;
use crate::teaching::{self, caption_routes as captions, learner_routes as learners};
use crate::uploads::tus;

/// A picture and what the form adds to it.
const COVER_FORM_BYTES: usize = crate::courses::cover::MOST_BYTES + (64 << 10);

/// Captions and what the form adds to them.
const CAPTIONS_FORM_BYTES: usize = millet_manifest::captions::MOST_CAPTION_BYTES + (64 << 10);

/// Slides and what the form adds to them.
const DECK_FORM_BYTES: usize = crate::live::decks::MOST_BYTES + (64 << 10);

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
    /// Teachers and learners of the course of the class of the path, and the guests of that class.
    ClassMember,
    /// Hosts and co-hosts of the class of the path.
    ClassLeader,
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
    /// An administrator of the home area of the account of the path.
    AccountAdministrator,
    /// An administrator of the area of the grant of the path.
    GrantAdministrator,
    /// Whoever holds the card whose token the path is.
    Card,
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

impl Route {
    /// For a handler that counts its body's bytes itself.
    fn with_body_of_any_length(mut self) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::disable());
        self
    }

    /// For the routes of tus 1.0.
    fn with_tus_version(mut self) -> Self {
        self.handler = self.handler.layer(map_response(tus::with_version));
        self
    }

    fn with_body_up_to(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self
    }
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

fn post<H, T>(path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    route(Method::POST, path, access, handler)
}

/// The table.
#[must_use]
pub fn table() -> Vec<Route> {
    use Access as A;
    vec![
        get("/", A::Anyone, people::routes::start),
        get("/sign-in", A::Anyone, people::routes::sign_in_page),
        post("/sign-in", A::Anyone, people::routes::sign_in),
        post("/sign-out", A::SignedIn, people::routes::sign_out),
        post(
            "/sign-out-everywhere",
            A::SignedIn,
            people::routes::sign_out_everywhere,
        ),
        get("/card/{token}", A::Card, people::routes::card_page),
        post("/card/{token}", A::Card, people::routes::take_card),
        get("/courses", A::Anyone, learning::routes::course_list),
        get(
            "/courses/{course_id}",
            A::Anyone,
            learning::routes::course_page,
        ),
        get(
            "/courses/{course_id}/lessons/{lesson_id}",
            A::CourseMember,
            live::lesson_page::lesson_page,
        ),
        get("/covers/{name}", A::Anyone, learning::routes::cover_picture),
        get("/learning", A::SignedIn, learning::my_routes::my_learning),
        get(
            "/credentials/{credential_id}",
            A::Anyone,
            learning::my_routes::credential_page,
        ),
        post(
            "/courses/{course_id}/enrol",
            A::SignedIn,
            completion::routes::enrol_self,
        ),
        post(
            "/courses/{course_id}/lessons/{lesson_id}/read",
            A::CourseMember,
            completion::routes::read_text,
        ),
        get("/plan", A::SignedIn, plans::routes::my_plan),
        get("/support", A::Helper, plans::routes::households_page),
        get(
            "/support/households/{household_id}",
            A::HouseholdHelper,
            plans::routes::household_page,
        ),
        post(
            "/support/households/{household_id}/cards",
            A::HouseholdHelper,
            plans::routes::print_card,
        ),
        get("/support/verify", A::Helper, plans::routes::waiting_page),
        get(
            "/support/measures/{measure_id}",
            A::HouseholdHelper,
            completion::routes::measure_evidence,
        ),
        post(
            "/support/measures/{measure_id}/verify",
            A::HouseholdHelper,
            completion::routes::verify,
        ),
        post(
            "/support/measures/{measure_id}/return",
            A::HouseholdHelper,
            completion::routes::give_back,
        ),
        get("/teach", A::Teacher, teaching::course_routes::teaching_page),
        post(
            "/teach/courses",
            A::Teacher,
            teaching::course_routes::create,
        ),
        get(
            "/teach/courses/{course_id}",
            A::CourseTeacher,
            teaching::course_routes::editor,
        ),
        post(
            "/teach/courses/{course_id}",
            A::CourseTeacher,
            teaching::course_routes::edit,
        ),
        post(
            "/teach/courses/{course_id}/cover",
            A::CourseTeacher,
            teaching::course_routes::set_cover,
        )
        .with_body_up_to(COVER_FORM_BYTES),
        post(
            "/teach/courses/{course_id}/publish",
            A::CourseTeacher,
            teaching::course_routes::publish,
        ),
        post(
            "/teach/courses/{course_id}/modules",
            A::CourseTeacher,
            outline::add_module,
        ),
        post(
            "/teach/courses/{course_id}/modules/{module_id}",
            A::CourseTeacher,
            outline::change_module,
        ),
        post(
            "/teach/courses/{course_id}/lessons",
            A::CourseTeacher,
            outline::add_lesson,
        ),
        get(
            "/teach/courses/{course_id}/lessons/{lesson_id}",
            A::CourseTeacher,
            teaching::lesson_routes::editor,
        ),
        post(
            "/teach/courses/{course_id}/lessons/{lesson_id}",
            A::CourseTeacher,
            outline::change_lesson,
        ),
        post(
            "/teach/courses/{course_id}/lessons/{lesson_id}/file",
            A::CourseTeacher,
            teaching::lesson_routes::take_file,
        )
        .with_body_of_any_length(),
        post(
            "/teach/courses/{course_id}/lessons/{lesson_id}/again",
            A::CourseTeacher,
            teaching::lesson_routes::try_again,
        ),
        post(
            "/teach/courses/{course_id}/lessons/{lesson_id}/captions",
            A::CourseTeacher,
            captions::give,
        )
        .with_body_up_to(CAPTIONS_FORM_BYTES),
        post(
            "/teach/courses/{course_id}/lessons/{lesson_id}/captions/remove",
            A::CourseTeacher,
            captions::remove,
        ),
        get(
            "/teach/lessons/{lesson_id}/status",
            A::CourseTeacher,
            teaching::lesson_routes::status,
        ),
        get(
            "/teach/courses/{course_id}/learners",
            A::CourseTeacher,
            learners::learners_page,
        ),
        post(
            "/teach/courses/{course_id}/learners",
            A::CourseTeacher,
            learners::enrol_list,
        ),
        post(
            "/teach/courses/{course_id}/cohorts",
            A::CourseTeacher,
            learners::add_cohort,
        ),
        post(
            "/teach/courses/{course_id}/cards",
            A::CourseTeacher,
            learners::print_card,
        ),
        get(
            "/teach/courses/{course_id}/live",
            A::CourseTeacher,
            schedule::schedule_page,
        ),
        post(
            "/teach/courses/{course_id}/live",
            A::CourseTeacher,
            schedule::schedule,
        ),
        post(
            "/teach/courses/{course_id}/live/{class_id}",
            A::CourseTeacher,
            schedule::change,
        ),
        get("/live", A::SignedIn, live::routes::list),
        get("/join", A::Anyone, guests::join_page),
        post("/join", A::Anyone, guests::join),
        get(
            "/courses/{course_id}/lessons/{lesson_id}/live",
            A::CourseMember,
            live::routes::of_lesson,
        ),
        get("/live/{class_id}", A::ClassMember, live::routes::class_page),
        post("/live/{class_id}/open", A::ClassLeader, live::routes::open),
        post("/live/{class_id}/say", A::ClassMember, live::routes::say),
        post(
            "/live/{class_id}/answer",
            A::ClassMember,
            live::routes::answer,
        ),
        post(
            "/live/{class_id}/admit",
            A::ClassLeader,
            live::routes::admit,
        ),
        post("/live/{class_id}/decks", A::ClassLeader, decks::add).with_body_up_to(DECK_FORM_BYTES),
        get(
            "/live/{class_id}/decks/{deck_id}/{page}",
            A::ClassMember,
            decks::slide,
        ),
        post(
            "/live/{class_id}/keys",
            A::ClassLeader,
            live::routes::add_key,
        ),
        post(
            "/live/{class_id}/keys/{key_id}/revoke",
            A::ClassLeader,
            live::routes::revoke_key,
        ),
        get(
            "/live/{class_id}/attendance",
            A::ClassLeader,
            live::routes::attendance_page,
        ),
        get(
            "/live/{class_id}/replay",
            A::ClassMember,
            live::replay_routes::replay,
        ),
        post(
            "/live/{class_id}/trim",
            A::ClassLeader,
            live::replay_routes::trim,
        ),
        post("/live/{class_id}/end", A::ClassLeader, live::routes::end),
        get("/live/{class_id}/publish", A::ClassLeader, on_air::publish),
        post("/live/{class_id}/probe", A::ClassLeader, on_air::probe)
            .with_body_up_to(on_air::PROBE_BYTES),
        get("/live/{class_id}/speak", A::ClassMember, live::floor::speak),
        get("/live/{class_id}/sound", A::ClassMember, on_air::sound),
        post(
            "/teach/courses/{course_id}/credentials/{credential_id}/revoke",
            A::CourseTeacher,
            completion::routes::revoke,
        ),
        get("/account", A::SignedIn, account::account_page),
        post("/account/password", A::SignedIn, account::change_password),
        post("/language", A::Anyone, account::set_language),
        get("/admin/areas", A::Administrator, admin::areas_page),
        post("/admin/areas", A::Administrator, admin::add_area),
        get("/admin/accounts", A::Administrator, admin::accounts_page),
        post("/admin/accounts", A::Administrator, admin::add_account),
        get(
            "/admin/accounts/search",
            A::Administrator,
            admin::begin_search,
        ),
        post(
            "/admin/accounts/search",
            A::Administrator,
            admin::search_accounts,
        ),
        post(
            "/admin/accounts/{account_id}",
            A::AccountAdministrator,
            people::managed_routes::change,
        ),
        post("/admin/grants", A::Administrator, admin::add_grant),
        post(
            "/admin/accounts/{account_id}/cards",
            A::AccountAdministrator,
            admin::print_card,
        ),
        post(
            "/admin/grants/{grant_id}/revoke",
            A::GrantAdministrator,
            admin::revoke_grant,
        ),
        get("/stream", A::SignedIn, socket::open),
        get("/media/{timeline_id}/{*path}", A::CourseMember, media::file),
        get("/healthz", A::Anyone, health::alive),
        get("/readyz", A::Anyone, health::ready),
        get("/static/{*path}", A::Anyone, assets::serve),
        route(Method::OPTIONS, "/uploads", A::Anyone, tus::options).with_tus_version(),
        route(Method::POST, "/uploads", A::Teacher, tus::create).with_tus_version(),
        route(Method::HEAD, "/uploads/{upload_id}", A::Teacher, tus::head).with_tus_version(),
        route(
            Method::PATCH,
            "/uploads/{upload_id}",
            A::Teacher,
            tus::patch,
        )
        .with_tus_version(),
        route(
            Method::DELETE,
            "/uploads/{upload_id}",
            A::Teacher,
            tus::terminate,
        )
        .with_tus_version(),
        route(
            Method::POST,
            "/uploads/{upload_id}",
            A::Teacher,
            tus::overridden,
        )
        .with_tus_version(),
    ]
}

/// What no row matches.
async fn nothing_here() -> Error {
    Error::NotFound
}

/// What a row matches by its path alone.
async fn other_method() -> Error {
    Error::MethodNotAllowed
}

/// The table as a router.
pub fn router() -> Router<App> {
    table()
        .into_iter()
        .fold(Router::new(), |router, row| {
            router.route(row.path, row.handler)
        })
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
}
