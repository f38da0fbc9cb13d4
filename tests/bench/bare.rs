//! The first baseline: what axum does with the same requests when nothing is stored.
//!
//! `bench bare-handler` serves until it is killed. It parses the same JSON and answers 201 with the same
//! body, and nothing else.

use crate::application::MESSAGES;
use crate::baseline;
use anyhow::Result;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(crate) struct NewMessage {
    pub(crate) content: String,
}

/// What the chat answers too.
#[derive(Serialize)]
pub(crate) struct Accepted {
    number: usize,
    id: &'static str,
    rev: u64,
    status: &'static str,
}

impl Accepted {
    pub(crate) fn under(number: usize) -> (StatusCode, Json<Self>) {
        let accepted = Self {
            number,
            id: "019aa4f2-6e35-7d01-9c11-8f6f6d3c2b1a",
            rev: 0,
            status: "processing",
        };
        (StatusCode::CREATED, Json(accepted))
    }
}

/// Serves for ever.
pub(crate) async fn serve() -> Result<()> {
    async fn accept(
        Path((_token, _chat)): Path<(String, u64)>,
        Json(new): Json<NewMessage>,
    ) -> (StatusCode, Json<Accepted>) {
        Accepted::under(new.content.len())
    }
    baseline::serve(axum::Router::new().route(MESSAGES, post(accept))).await
}
