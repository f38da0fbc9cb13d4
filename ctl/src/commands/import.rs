//! `chatctl import`: a file in, requests out, as many chats at once as asked for.
//!
//! A refused line is reported and the import goes on. A server that stays away longer than the patience
//! of one request ends it; running it again continues where it ended.

use crate::args::{ImportArguments, OrphanReplies};
use crate::client::{Answer, Application};
use crate::error::{Error, Result};
use crate::import::keys::ImportKeys;
use crate::import::lanes::{Lane, Lanes, Sending, Turn};
use crate::import::lines::{LONGEST_LINE, Lines, RawLine};
use crate::import::report::Report;
use crate::output::{Output, report};
use crate::wire::Accepted;
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use tokio::sync::mpsc;

pub(crate) async fn import(
    application: &Application<'_>,
    output: &Output,
    arguments: ImportArguments,
) -> Result<()> {
    let ImportArguments {
        file,
        import_id,
        parallel,
        orphan_replies,
    } = arguments;
    let (input, length) = open(&file)?;
    // A wrong token or key is one error, not one for each line.
    application.show().await?;
    let mut import = Import {
        application,
        keys: ImportKeys::new(import_id.unwrap_or_else(|| name_of(&file))),
        lanes: Lanes::new(orphan_replies == OrphanReplies::Detach),
        report: Report::new(length, output.is_json()),
        running: FuturesUnordered::new(),
        sending: 0,
        parallel: usize::from(parallel),
        making_chat: false,
    };
    let ended = tokio::select! {
        ended = import.run(lines(input), &file) => ended,
        _ = tokio::signal::ctrl_c() => Err(Error::Incomplete("interrupted".into())),
    };
    import.report.finish(output)?;
    match ended {
        Err(error) => {
            report(&error, output.is_json());
            output.remark("The import is not complete; run the same command again to continue it.");
            Err(Error::Reported)
        }
        Ok(()) if import.report.counts.refused > 0 => Err(Error::Reported),
        Ok(()) => Ok(()),
    }
}

struct Import<'a> {
    application: &'a Application<'a>,
    keys: ImportKeys,
    lanes: Lanes,
    report: Report,
    running: FuturesUnordered<BoxFuture<'a, Done>>,
    /// How many of `running` write messages.
    sending: usize,
    parallel: usize,
    making_chat: bool,
}

/// A request that came to its end.
enum Done {
    Chat(Lane, Result<Answer<Accepted>>),
    Message(Box<Sending>, Result<Answer<Accepted>>),
}

impl Import<'_> {
    async fn run(
        &mut self,
        mut lines: mpsc::Receiver<io::Result<RawLine>>,
        file: &str,
    ) -> Result<()> {
        let mut at_end = false;
        loop {
            self.start();
            tokio::select! {
                line = lines.recv(), if !at_end && self.lanes.has_room() => match line {
                    Some(line) => self.take(line.map_err(|error| Error::io(file, error))?),
                    None => at_end = true,
                },
                Some(done) = self.running.next(), if !self.running.is_empty() => self.settle(done)?,
                else => return Ok(()),
            }
        }
    }

    fn take(&mut self, line: RawLine) {
        let RawLine {
            number,
            bytes,
            text,
        } = line;
        let text = match text {
            Some(text) if text.trim_ascii().is_empty() => return self.report.advance(bytes),
            text => text,
        };
        self.report.counts.lines += 1;
        let taken = match text {
            Some(text) => self.lanes.add(number, bytes, text),
            None => Err(format!(
                "longer than {LONGEST_LINE} bytes; no message may be that long"
            )),
        };
        if let Err(reason) = taken {
            self.report.refuse(number, bytes, &reason);
        }
    }

    /// Starts whatever may start now: at most one chat, and messages up to the limit.
    fn start(&mut self) {
        if !self.making_chat
            && let Some((lane, chat, new)) = self.lanes.next_chat()
        {
            self.making_chat = true;
            let (application, key) = (self.application, self.keys.chat(&chat));
            let request = async move { application.create_chat(&new, &key).await };
            self.running
                .push(request.map(move |answer| Done::Chat(lane, answer)).boxed());
        }
        while self.sending < self.parallel
            && let Some(turn) = self.lanes.next_turn()
        {
            match turn {
                Turn::Send(sending) => self.send(sending),
                Turn::Refuse {
                    line,
                    bytes,
                    reason,
                } => self.report.refuse(line, bytes, &reason),
                Turn::Done { bytes } => self.report.advance(bytes),
            }
        }
    }

    fn send(&mut self, sending: Sending) {
        self.sending += 1;
        let application = self.application;
        let key = self
            .keys
            .message(&sending.chat, sending.line, &sending.message);
        let request = async move {
            let answer = application
                .create_message(sending.chat_number, &sending.translated(), &key)
                .await;
            Done::Message(Box::new(sending), answer)
        };
        self.running.push(request.boxed());
    }

    fn settle(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Chat(lane, answer) => {
                self.making_chat = false;
                let outcome = refusable(answer)?;
                if let Ok(answer) = &outcome {
                    let counts = &mut self.report.counts;
                    *(if answer.replayed {
                        &mut counts.chats_already_there
                    } else {
                        &mut counts.chats_created
                    }) += 1;
                }
                self.lanes
                    .chat_settled(lane, outcome.map(|answer| answer.body.number));
            }
            Done::Message(sending, answer) => {
                self.sending -= 1;
                let Sending {
                    lane,
                    line,
                    bytes,
                    message,
                    ..
                } = *sending;
                let new_number = match refusable(answer)? {
                    Ok(answer) => {
                        let counts = &mut self.report.counts;
                        *(if answer.replayed {
                            &mut counts.already_there
                        } else {
                            &mut counts.imported
                        }) += 1;
                        self.report.advance(bytes);
                        Some(answer.body.number)
                    }
                    Err(reason) => {
                        self.report.refuse(line, bytes, &reason);
                        None
                    }
                };
                self.lanes.settled(lane, message.number, new_number);
            }
        }
        Ok(())
    }
}

/// Tells a line that is at fault (inner `Err`) from an import that cannot go on (outer `Err`).
fn refusable(answer: Result<Answer<Accepted>>) -> Result<Result<Answer<Accepted>, String>> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Error::Refused(refusal)) if refusal.blames_the_request() => {
            Ok(Err(refusal.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// Reads on a thread of its own: a read from a terminal or a pipe may last for ever.
fn lines(input: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<RawLine>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in Lines::new(BufReader::with_capacity(1 << 16, input)) {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn open(file: &str) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    if file == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(file).map_err(|error| Error::io(file, error))?;
    let metadata = opened.metadata().map_err(|error| Error::io(file, error))?;
    if metadata.is_dir() {
        return Err(Error::Usage(format!(
            "{file} is a directory; give a file of JSON Lines"
        )));
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(opened), length))
}

fn name_of(file: &str) -> String {
    let name = Path::new(file).file_name();
    name.map_or_else(
        || file.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
