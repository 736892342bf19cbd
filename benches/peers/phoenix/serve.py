"""Starts Phoenix as `phoenix serve` does, but on loopback only: its gRPC port cannot be bound to one address, so it stays
closed. What is measured comes in over OTLP/HTTP.
"""

import sys

from phoenix.server import grpc_server


async def stay_closed(self):
    """Takes the place of opening the port; leaving again already copes with a server that was never started."""


grpc_server.GrpcServer.__aenter__ = stay_closed

from phoenix.server.main import main  # noqa: E402 - the port must be closed before

sys.argv = ["phoenix", "serve"]
main()
