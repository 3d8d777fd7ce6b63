//! Somebody who talks to the server without a browser.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::{ACCEPT, ORIGIN};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};

use super::village::PASSWORD;

/// An HTTP client with cookies of its own that follows no redirect.
pub struct Visitor {
    client: Client,
    cookies: Arc<Jar>,
    origin: String,
}

impl Visitor {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous(address: SocketAddr) -> Self {
        Self::with_cookies(format!("http://{address}"), Jar::default())
    }

    fn with_cookies(origin: String, cookies: Jar) -> Self {
        let cookies = Arc::new(cookies);
        Self {
            client: Client::builder()
                .cookie_provider(Arc::clone(&cookies))
                .redirect(Policy::none())
                .build()
                .unwrap(),
            cookies,
            origin,
        }
    }

    /// The same person in another browser that knows the same cookies, as they are now.
    #[must_use]
    pub fn again(&self) -> Self {
        self.with_cookies_at(self.origin.clone())
    }

    /// The same browser after the server came back at another address.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        self.with_cookies_at(format!("http://{address}"))
    }

    fn with_cookies_at(&self, origin: String) -> Self {
        let (here, there) = (self.origin.parse().unwrap(), origin.parse().unwrap());
        let copy = Jar::default();
        if let Some(cookies) = self.cookies.cookies(&here) {
            for cookie in cookies.to_str().unwrap().split("; ") {
                copy.add_cookie_str(cookie, &there);
            }
        }
        Self::with_cookies(origin, copy)
    }

    /// The cookies as a header says them.
    ///
    /// # Panics
    /// When there are none.
    #[must_use]
    pub fn cookie(&self) -> String {
        let url = self.origin.parse().unwrap();
        let cookies = self.cookies.cookies(&url).expect("nobody is signed in");
        cookies.to_str().unwrap().to_owned()
    }

    /// Value of the session cookie, for clients of the stream.
    ///
    /// # Panics
    /// When nobody is signed in.
    #[must_use]
    pub fn session_token(&self) -> String {
        let cookies = self.cookies.cookies(&self.origin.parse().unwrap()).unwrap();
        let (_, rest) = cookies
            .to_str()
            .unwrap()
            .split_once("millet_session=")
            .unwrap();
        rest.split(';').next().unwrap_or_default().to_owned()
    }

    /// Signs in by the form.
    ///
    /// # Panics
    /// When the sign-in is refused.
    pub async fn signed_in(address: SocketAddr, name: &str) -> Self {
        let visitor = Self::anonymous(address);
        let answer = visitor
            .post(
                "/sign-in",
                &[
                    ("name", name),
                    ("password", PASSWORD),
                    ("next", "/learning"),
                ],
            )
            .await;
        assert_eq!(answer.status(), 303, "sign-in of {name}");
        visitor
    }

    /// A request as a browser's page makes it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.origin))
            .header(ORIGIN, &self.origin)
            .header(ACCEPT, "text/html")
    }

    /// A request as a program makes it: problems come as JSON.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.origin))
            .header(ORIGIN, &self.origin)
    }

    /// Gets a page.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.request(Method::POST, path)
            .form(fields)
            .send()
            .await
            .unwrap()
    }
}
