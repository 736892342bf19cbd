//! An application that is instrumented and told nothing is heard: opstream listens where exporters of OpenTelemetry send by themselves. What
//! another collector has there is left to it, and opstream starts all the same.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::harness::otlp::{Way, send_spans};
use crate::harness::process::{Process, free_port};
use crate::harness::servers::announce;

/// An address of this machine that nothing else of it uses, with its standard ports: one for each test of each run.
fn loopback_of_its_own(test: u8) -> Option<IpAddr> {
    let [high, low] = u16::try_from(std::process::id() % 65_000).unwrap().to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(127, 100 + test, high, low.clamp(1, 254)));
    if TcpListener::bind((ip, 0)).is_ok() {
        return Some(ip);
    }
    announce("SKIPPED: standard ports (this system has no loopback address but 127.0.0.1)");
    None
}

fn start_up(folder: &tempfile::TempDir, ip: IpAddr) -> (Process, String) {
    let (listen, broker) = (format!("{ip}:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let arguments = ["up", "--data", "d", "--listen", &listen, "--broker-listen", &broker];
    (Process::start_untold(folder.path(), &arguments, &[]), format!("http://{listen}"))
}

/// A request without spans, which is a success.
async fn send_nothing(ip: IpAddr, port: u16, way: Way) -> Result<(), String> {
    send_spans(&format!("{ip}:{port}"), (way, "default"), b"").await
}

#[tokio::test]
async fn both_ports_take_both_protocols_and_nothing_else_is_there() {
    let Some(ip) = loopback_of_its_own(0) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut process, url) = start_up(&folder, ip);
    process.ready(&url).await;
    for port in [4317, 4318] {
        for way in Way::ALL {
            send_nothing(ip, port, way).await.unwrap();
        }
        assert_eq!(reqwest::get(format!("http://{ip}:{port}/health/ready")).await.unwrap().status(), 200);
        assert_eq!(reqwest::get(format!("http://{ip}:{port}/v1/totals")).await.unwrap().status(), 404);
    }
    let said = process.log();
    assert!(said.contains(&format!("OpenTelemetry:  http://{ip}:4317, http://{ip}:4318\n")), "{said}");
    assert!(process.stop(Duration::from_mins(1)).await.success());
}

#[tokio::test]
async fn a_port_that_a_collector_has_is_left_to_it_and_named() {
    let Some(ip) = loopback_of_its_own(1) else { return };
    let _collector = TcpListener::bind((ip, 4317)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut process, url) = start_up(&folder, ip);
    process.ready(&url).await;
    send_nothing(ip, 4318, Way::Protobuf).await.unwrap();
    send_nothing(ip, url.rsplit(':').next().unwrap().parse().unwrap(), Way::Grpc).await.unwrap();
    let said = process.log();
    for words in
        [format!("OpenTelemetry:  http://{ip}:4318 ({ip}:4317 is taken)"), "another program listens".to_owned()]
    {
        assert!(said.contains(&words), "{words:?} is not in {said}");
    }
    assert!(process.stop(Duration::from_mins(1)).await.success());
}
