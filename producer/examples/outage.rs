//! Records without pause and shows what becomes of it: stop the broker, start it again, kill this program, start it again.
//!
//! Run with `cargo run -p opstream-producer --example outage -- 127.0.0.1:9092 ./spool 1000`: address, folder of the spool, and
//! operations per second. It ends after a line on standard input, or its end.

use std::io::{self, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use opstream_producer::{Counters, Producer, ProducerConfig, Sink, Spool};
use opstream_schemas::{Operation, UtcMicros};

/// Times per second that operations are recorded.
const BEATS: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut config = ProducerConfig::new(&arguments.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned()));
    config.spool = Some(Spool::new(arguments.next().unwrap_or_else(|| "./spool".to_owned())));
    let rate: u32 = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let producer = Producer::start(Sink::Kafka(config))?;

    let (line, stopped) = channel();
    thread::spawn(move || io::stdin().read_line(&mut String::new()).map(|_| line.send(())));
    for beat in 0_u32.. {
        for n in 0..rate / BEATS {
            let mut operation = Operation::starting("chat", UtcMicros::now());
            operation.session_id = Some(format!("session-{}", n % 50));
            operation.input_tokens = Some(1_200);
            producer.record(operation);
        }
        if beat % BEATS == 0 {
            print(producer.counters())?;
        }
        if stopped.recv_timeout(Duration::from_secs(1) / BEATS) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    print(producer.close(Duration::from_secs(5)).await)?;
    Ok(())
}

fn print(counters: Counters) -> io::Result<()> {
    let Counters { sent, dropped, failed, queued, spooled, spool, .. } = counters;
    writeln!(
        io::stdout(),
        "sent {sent}, dropped {dropped}, failed {failed}, queued {queued}, spooled {spooled}; {spool:?}"
    )
}
