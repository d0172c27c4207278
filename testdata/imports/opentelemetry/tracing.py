from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.resource import ResourceAttributes
import opentelemetry.context

provider = TracerProvider(resource=Resource({SERVICE_NAME: "app"}))
tracer = trace.get_tracer(__name__)


def start():
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
