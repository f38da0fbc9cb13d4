//! The promises of `Search` on Elasticsearch.
