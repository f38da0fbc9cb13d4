//! `chatctl search`: messages by their words, in one chat or in the whole application.

use crate::args::{SearchArguments, Sort};
use crate::client::Application;
use crate::error::Result;
use crate::output::Output;
use crate::render;
use crate::wire::SearchPage;

pub(crate) async fn search(
    application: &Application<'_>,
    output: &Output,
    arguments: SearchArguments,
) -> Result<()> {
    let SearchArguments {
        query,
        chat,
        author,
        since,
        until,
        sort,
        page,
        per_page,
    } = arguments;
    let sort = match sort {
        Sort::Relevance => "relevance",
        Sort::Number => "number",
    };
    let mut parameters = vec![
        ("query", query.join(" ")),
        ("sort", sort.to_owned()),
        ("page", page.to_string()),
        ("per_page", per_page.to_string()),
    ];
    let filters = [("author", author), ("since", since), ("until", until)];
    parameters.extend(
        filters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let found = application.search(chat, parameters).await?;
    if output.is_json() {
        return output.json_line(&found);
    }
    output.each(&found.messages, render::found)?;
    output.remark(&summary(&found));
    Ok(())
}

fn summary(found: &SearchPage) -> String {
    let SearchPage {
        total,
        total_capped,
        total_pages,
        page,
        ..
    } = found;
    let count = render::count(*total, "message");
    let more = if *total_capped { "more than " } else { "" };
    if *total == 0 {
        return "nothing found".to_owned();
    }
    format!("{more}{count}, page {page} of {total_pages}")
}
