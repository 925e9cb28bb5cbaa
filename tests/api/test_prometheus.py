"""A real Prometheus scrapes the metrics page, and promtool finds nothing wrong with it."""

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from reconciler.api import build_probes, serve
from reconciler.telemetry.adapter import MeteredTelemetry
from reconciler.telemetry.metrics import Metrics

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(PROMETHEUS is None or PROMTOOL is None, reason="there is no prometheus here"),
]

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: reconciler
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Fine:
    async def live(self) -> tuple[str, ...]:
        return ()

    async def ready(self) -> tuple[str, ...]:
        return ()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(config: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    with (folder / "prometheus.log").open("wb") as log:
        return subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )


async def answer(http: httpx.AsyncClient, base: str, query: str) -> list[dict[str, object]]:
    """Ask Prometheus until it has an answer; it scrapes once a second."""
    for _ in range(300):
        try:
            reply = await http.get(f"{base}/api/v1/query", params={"query": query})
            found = reply.json()["data"]["result"] if reply.status_code == 200 else []
        except httpx.TransportError:
            found = []
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"Prometheus knows nothing of {query}")


async def test_prometheus_scrapes_the_page(tmp_path: Path):
    metrics = Metrics()
    telemetry = MeteredTelemetry(metrics)
    telemetry.passed("success", 0.2, "user", 1.0)
    telemetry.operated("web service", "create", "succeeded")
    server = await serve(build_probes(metrics, Fine()), "127.0.0.1", 0)
    config, port = tmp_path / "prometheus.yml", free_port()
    config.write_text(CONFIG.format(port=server.port))
    prometheus = start(config, tmp_path, port)
    try:
        async with httpx.AsyncClient() as http:
            base = f"http://127.0.0.1:{port}"
            up = await answer(http, base, 'up{job="reconciler"} == 1')
            passes = await answer(http, base, 'controller_runtime_reconcile_total{result="success"} == 1')
            effects = await answer(http, base, 'reconciler_ops_total{outcome="succeeded", verb="create"} == 1')
        assert up and passes and effects
    finally:
        prometheus.terminate()
        prometheus.wait(10)
        await server.stop()


def test_promtool_finds_nothing_wrong_with_the_page():
    page = Metrics(process=True).exposition()
    checked = subprocess.run([str(PROMTOOL), "check", "metrics"], input=page, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
