"""An application that calls a model through OpenAI's client and is instrumented for OpenTelemetry; the provider is a small server of its own.

usage: instrumented_application.py INSTRUMENTATION WORKSPACE http|grpc ADDRESS

INSTRUMENTATION is openai-v2, openinference or openllmetry. Everything is exported to ADDRESS, which is IP:PORT. The instrumentation's own
switches are variables of the environment, as for its users.
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Provider(BaseHTTPRequestHandler):
    """Answers as OpenAI does, as far as its clients look. The model's name says what becomes of a call."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = asked["model"]
        if model == "throttled":
            self.answer({"error": {"message": "slow down", "type": "rate_limit_exceeded"}}, 429)
        elif model == "broken":
            self.answer({"error": {"message": "no luck", "type": "server_error"}}, 500)
        elif self.path.endswith("/embeddings"):
            vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
            usage = {"prompt_tokens": 7, "total_tokens": 7}
            self.answer({"object": "list", "data": [vector], "model": model, "usage": usage})
        elif asked.get("stream"):
            self.stream(model)
        else:
            self.answer(completion(model, asked))

    def answer(self, body, status=200):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, model):
        head = {"id": "chatcmpl-stream", "object": "chat.completion.chunk", "created": 1, "model": model}
        words = [{"role": "assistant", "content": ""}, {"content": "word "}, {"content": "by word"}, {}]
        chunks = [
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]}
            for delta in words
        ]
        usage = {"prompt_tokens": 40, "completion_tokens": 30, "total_tokens": 70}
        events = [*map(json.dumps, [*chunks, {**head, "choices": [], "usage": usage}]), "[DONE]"]
        body = "".join(f"data: {event}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def completion(model, asked):
    message = {"role": "assistant", "content": f"the answer of {model}"}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    reason = "stop"
    if model == "o3":
        usage["prompt_tokens_details"] = {"cached_tokens": 60}
        usage["completion_tokens_details"] = {"reasoning_tokens": 12}
    if asked.get("tools"):
        call = {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Berlin"}'}}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    head = {"id": f"chatcmpl-{model}", "object": "chat.completion", "created": 1, "model": f"{model}-2026"}
    return {**head, "choices": [choice], "usage": usage}


def work(client):
    """Seven calls: plain, cached and reasoning, with a tool, streamed, an embedding, and two that fail."""

    def chat(model, **more):
        messages = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": f"a question for {model}"},
        ]
        return client.chat.completions.create(model=model, messages=messages, **more)

    chat("gpt-4o", temperature=0.5, max_tokens=200)
    chat("o3")
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    chat("gpt-4.1", tools=[tool])
    for _ in chat("gpt-4o-mini", stream=True, stream_options={"include_usage": True}):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="some text")
    for model in ["throttled", "broken"]:
        try:
            chat(model)
        except openai.APIStatusError:
            pass


def exporters(protocol, address):
    """As the environment variables of the SDK choose them."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        where = {"endpoint": address, "insecure": True}
        return OTLPSpanExporter(**where), OTLPLogExporter(**where)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    where = f"http://{address}/v1"
    return OTLPSpanExporter(endpoint=f"{where}/traces"), OTLPLogExporter(endpoint=f"{where}/logs")


def instrument(name):
    """Turns the instrumentation on; returns the attributes with which its users name agent and session."""
    if name == "openai-v2":
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

        said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.conversation.id": "s-1"}
    elif name == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor

        said = {"openinference.span.kind": "AGENT", "agent.name": "planner", "session.id": "s-1"}
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        session = {"traceloop.association.properties.session_id": "s-1"}
        said = {"traceloop.span.kind": "agent", "traceloop.entity.name": "planner", **session}
    OpenAIInstrumentor().instrument()
    return said


def main():
    instrumentation, workspace, protocol, address = sys.argv[1:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    resource = Resource({"service.name": "shop", "service.namespace": workspace})
    spans, logs = exporters(protocol, address)
    traces, records = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    # One request, however slow the machine: what the agent's span says holds for the calls within it that come with it.
    traces.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=600_000))
    records.add_log_record_processor(BatchLogRecordProcessor(logs))
    trace.set_tracer_provider(traces)
    _logs.set_logger_provider(records)
    said = instrument(instrumentation)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)
    with trace.get_tracer("shop").start_as_current_span("planner", attributes=said):
        work(client)
    traces.shutdown()
    records.shutdown()


main()
