//! Request bodies as the OpenAPI document shows them. Nothing is parsed into these: `body` reads fields
//! one by one to collect everything that is wrong, and a test keeps the limits here and there alike.

use serde_json::{Map, Value};
use utoipa::ToSchema;

/// May be wrapped as `{"application": {..}}` or `{"app": {..}}`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ApplicationBody {
    /// Not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// May be wrapped as `{"chat": {..}}`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ChatBody {
    /// Not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// At most 8 KiB as compact JSON, at most five levels deep.
    metadata: Option<Map<String, Value>>,
}

/// At least one of the two; null empties a field and an absent one is left alone.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ChatEditBody {
    /// Not blank.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// At most 8 KiB as compact JSON, at most five levels deep.
    metadata: Option<Map<String, Value>>,
}

/// May be wrapped as `{"message": {..}}`; `body` is another word for `content`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct MessageBody {
    /// At most 40,000 bytes of UTF-8, without NUL.
    #[schema(min_length = 1, max_length = 10_000)]
    content: String,
    /// Not blank.
    #[schema(min_length = 1, max_length = 200)]
    author: Option<String>,
    /// At most 8 KiB as compact JSON, at most five levels deep.
    metadata: Option<Map<String, Value>>,
    /// The number of a message of this chat, whether it exists or not.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    reply_to: Option<u64>,
    /// For imports: not in the future.
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

/// A message together with where it belongs.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct AddressedMessageBody {
    application_token: String,
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    chat_number: u64,
    /// At most 40,000 bytes of UTF-8, without NUL.
    #[schema(min_length = 1, max_length = 10_000)]
    content: String,
    /// Not blank.
    #[schema(min_length = 1, max_length = 200)]
    author: Option<String>,
    /// At most 8 KiB as compact JSON, at most five levels deep.
    metadata: Option<Map<String, Value>>,
    /// The number of a message of this chat, whether it exists or not.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    reply_to: Option<u64>,
    /// For imports: not in the future.
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

/// At least one of the two; an absent field is left alone.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct MessageEditBody {
    /// At most 40,000 bytes of UTF-8, without NUL.
    #[schema(min_length = 1, max_length = 10_000, nullable = false)]
    content: Option<String>,
    /// At most 8 KiB as compact JSON, at most five levels deep; null empties it.
    metadata: Option<Map<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat::model::{Content, Name, Number};
    use utoipa::PartialSchema;

    fn schema<T: PartialSchema>() -> Value {
        serde_json::to_value(T::schema()).unwrap()
    }

    #[test]
    fn documented_limits_are_those_of_the_model() {
        let message = schema::<MessageBody>();
        assert_eq!(
            message["properties"]["content"]["maxLength"],
            Content::MAX_CHARACTERS
        );
        assert_eq!(
            message["properties"]["author"]["maxLength"],
            Name::MAX_CHARACTERS
        );
        assert_eq!(
            message["properties"]["reply_to"]["maximum"],
            Number::MAX.get()
        );
        assert_eq!(
            schema::<ApplicationBody>()["properties"]["name"]["maxLength"],
            Name::MAX_CHARACTERS
        );
    }
}
