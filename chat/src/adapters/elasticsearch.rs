//! `Search` on Elasticsearch 8 and 9, with core features only.
