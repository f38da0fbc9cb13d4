//! When tracing starts and ends, what is sampled, and how much may wait for the collector.

use super::collector::Collector;
use crate::adapters::endpoint::Endpoint;
use crate::error::{Error, Result};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use std::sync::OnceLock;
use std::time::Duration;

/// Ended spans wait this long for others to be exported with.
const PAUSE: Duration = Duration::from_secs(1);
/// Ended spans that wait; more are dropped. About 2 MB.
const WAITING: usize = 4_096;
const AT_ONCE: usize = 512;
/// For one export with everything it tries again. What is not out by then is dropped.
const EXPORT_DEADLINE: Duration = Duration::from_secs(5);
/// For whatever waits when the program ends.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);
/// More than a batch has messages.
const LINKS: u32 = 1_000;

/// Set once, by `start`.
static EXPORTING: OnceLock<Exporting> = OnceLock::new();

struct Exporting {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

/// Starts tracing in this process, as `service`, and exporting to `collector` in the background. Traced are
/// this part (0 to 1) of the requests whose callers leave it to us, and all work that follows from a traced
/// request. Must be called in a runtime, which does the sending. Fails when the address or the certificates
/// of the authority make no sense, or when tracing was started before; a collector that is away is no reason.
pub fn start(service: &'static str, collector: &Endpoint, sample: f64) -> Result<()> {
    let collector = Collector::new(collector)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(collector.target())
        .with_timeout(EXPORT_DEADLINE)
        .with_http_client(collector)
        .build()
        .map_err(Error::internal)?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING)
        .with_max_export_batch_size(AT_ONCE)
        .with_scheduled_delay(PAUSE)
        .build();
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new(
                "service.instance.id",
                uuid::Uuid::from_bytes(crate::clock::random_bytes()).to_string(),
            ),
        ])
        .build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler(sample))
        .with_max_links_per_span(LINKS)
        .with_resource(resource)
        .with_span_processor(
            BatchSpanProcessor::builder(exporter)
                .with_batch_config(batches)
                .build(),
        )
        .build();
    let tracer = provider.tracer("chat");
    EXPORTING
        .set(Exporting { tracer, provider })
        .map_err(|_| Error::internal("tracing was started before"))
}

/// The caller decides; where nobody did, chance does.
pub(super) fn sampler(sample: f64) -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample)))
}

/// Exports what waits, and ends tracing. Returns after two seconds whatever becomes of it.
pub async fn flush() {
    let Some(Exporting { provider, .. }) = EXPORTING.get() else {
        return;
    };
    let ended = tokio::task::spawn_blocking(|| provider.shutdown_with_timeout(FLUSH_DEADLINE));
    if let Ok(Err(error)) = ended.await {
        tracing::warn!(%error, "the last traces were not exported");
    }
}

/// `None` until `start`.
pub(super) fn tracer() -> Option<&'static SdkTracer> {
    EXPORTING.get().map(|exporting| &exporting.tracer)
}
