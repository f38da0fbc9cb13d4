//! Rate limits: which buckets a request is taken from, and the headers that tell what is left
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>).
//!
//! Every request counts for its client address before anything else is done, and for its application
//! once that is authenticated, so nobody can empty the bucket of somebody else.

use crate::context::{Context, Notes};
use crate::error::Problem;
use crate::kind::Kind;
use crate::router::Api;
use chat::model::AppId;
use chat::ops::limits::{Rate, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::fmt::{self, Display, Write};
use std::net::{IpAddr, Ipv6Addr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Takes the request out of the buckets of its client address.
pub(crate) async fn charge_client(
    api: &Api,
    context: &Context,
    method: &Method,
) -> Result<(), Problem> {
    charge(api, context, method, Payer::Client(context.client)).await
}

/// Takes the request out of the buckets of its application.
pub(crate) async fn charge_application(
    api: &Api,
    context: &Context,
    method: &Method,
    app: AppId,
) -> Result<(), Problem> {
    charge(api, context, method, Payer::Application(app)).await
}

#[derive(Clone, Copy)]
enum Payer {
    Client(IpAddr),
    Application(AppId),
}

impl Display for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(address) => write!(f, "address:{}", bucket_address(*address)),
            Self::Application(app) => write!(f, "application:{}", app.get()),
        }
    }
}

/// Whoever has one IPv6 address has at least the 64 bits beside it.
fn bucket_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four => four,
    }
}

async fn charge(
    api: &Api,
    context: &Context,
    method: &Method,
    payer: Payer,
) -> Result<(), Problem> {
    let rates = api.settings.rates;
    let general = rates.general.map(|rate| ("general", rate));
    let create = rates.create.filter(|_| method == Method::POST);
    let create = create.map(|rate| ("create", rate));
    let rates: Vec<(&str, Rate)> = general.into_iter().chain(create).collect();
    if rates.is_empty() {
        return Ok(());
    }
    let (payer, now) = (payer.to_string(), chat::clock::now());
    let verdicts = api.limiter.take_each(&payer, &rates, now).await;
    for ((name, _), verdict) in rates.iter().zip(verdicts) {
        context.note(|notes| match *name {
            "general" => tighten(&mut notes.general, verdict),
            _ => tighten(&mut notes.create, verdict),
        });
        refuse_unless_allowed(verdict)?;
    }
    Ok(())
}

fn tighten(known: &mut Option<Verdict>, verdict: Verdict) {
    let looser = known.is_some_and(|known| {
        (known.allowed, known.remaining) <= (verdict.allowed, verdict.remaining)
    });
    if !looser {
        *known = Some(verdict);
    }
}

fn refuse_unless_allowed(verdict: Verdict) -> Result<(), Problem> {
    if verdict.allowed {
        return Ok(());
    }
    let problem = Problem::new(Kind::RateLimited, "wait as long as Retry-After says");
    Err(problem.retry_after_s(verdict.retry_after_ms.div_ceil(1_000).max(1)))
}

/// Says what is left; nothing where nothing is limited.
pub(crate) fn write_headers(notes: &Notes, headers: &mut HeaderMap) {
    let verdicts = [("general", notes.general), ("create", notes.create)];
    let mut policy = String::new();
    let mut state = String::new();
    for (name, verdict) in verdicts
        .into_iter()
        .filter_map(|(name, verdict)| Some((name, verdict?)))
    {
        let comma = if policy.is_empty() { "" } else { ", " };
        let Verdict {
            limit,
            remaining,
            reset_ms,
            ..
        } = verdict;
        let reset_s = reset_ms.div_ceil(1_000);
        // Writing to a String cannot fail.
        let _ = write!(policy, "{comma}\"{name}\";q={limit};w={}", Rate::WINDOW_S);
        let _ = write!(state, "{comma}\"{name}\";r={remaining};t={reset_s}");
    }
    if policy.is_empty() {
        return;
    }
    for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
        headers.insert(
            name,
            HeaderValue::try_from(text).expect("names and numbers are visible ASCII"),
        );
    }
}

/// The address of whoever asks. Behind `trusted` proxies it is the entry of `X-Forwarded-For` that the
/// outermost of them wrote; whatever stands before that entry anybody can write.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: u8) -> IpAddr {
    if trusted == 0 {
        return peer;
    }
    let values = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|value| value.to_str().unwrap_or_default());
    let entries: Vec<&str> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let entry = entries
        .len()
        .checked_sub(trusted.into())
        .and_then(|at| entries.get(at));
    // Fewer entries than proxies: the request did not come the way it should; its peer answers for it.
    entry.and_then(|text| text.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn address(forwarded: &[&str], trusted: u8) -> String {
        let headers = forwarded
            .iter()
            .map(|value| (FORWARDED_FOR, value.parse().unwrap()))
            .collect();
        client_address(PEER, &headers, trusted).to_string()
    }

    #[test]
    fn forwarded_addresses_count_only_behind_trusted_proxies() {
        assert_eq!(address(&["1.1.1.1"], 0), "10.0.0.1");
        assert_eq!(address(&["6.6.6.6, 1.1.1.1"], 1), "1.1.1.1");
        assert_eq!(address(&["6.6.6.6, 1.1.1.1", "2.2.2.2"], 2), "1.1.1.1");
        assert_eq!(address(&["1.1.1.1"], 2), "10.0.0.1");
        assert_eq!(address(&["unknown"], 1), "10.0.0.1");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_bucket() {
        let bucket = |text: &str| Payer::Client(text.parse().unwrap()).to_string();
        assert_eq!(bucket("2001:db8::1"), bucket("2001:db8::ffff:1"));
        assert_ne!(bucket("2001:db8::1"), bucket("2001:db8:0:1::1"));
        assert_eq!(bucket("::ffff:1.2.3.4"), bucket("1.2.3.4"));
    }

    #[test]
    fn headers_tell_the_tightest_bucket_of_each_policy() {
        let verdict = |remaining| Verdict {
            allowed: true,
            limit: 20,
            remaining,
            reset_ms: 1_001,
            retry_after_ms: 0,
        };
        let mut notes = Notes::default();
        for remaining in [9, 4, 7] {
            tighten(&mut notes.general, verdict(remaining));
        }
        tighten(&mut notes.create, verdict(1));
        let mut headers = HeaderMap::new();
        write_headers(&notes, &mut headers);
        assert_eq!(
            headers[RATE_LIMIT_POLICY],
            "\"general\";q=20;w=2, \"create\";q=20;w=2"
        );
        assert_eq!(
            headers[RATE_LIMIT],
            "\"general\";r=4;t=2, \"create\";r=1;t=2"
        );
    }
}
