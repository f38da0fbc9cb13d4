//! Whose turn it is: one lane per chat, its lines in their order and one at a time, many lanes at once.
//!
//! Chats are made one after another in the order in which the file names them, so their new numbers have
//! that order too. Pure: the caller sends what it is given and reports back how that ended.

use super::line::{ChatId, ChatOfLine, MessageOfLine, parse};
use super::renumber::Renumbering;
use crate::wire::{NewChat, NewMessage};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Lines may wait for their turn until they take this many bytes together.
const WINDOW_BYTES: u64 = 32 << 20;
/// What a waiting line takes beside its text.
const LINE_OVERHEAD: u64 = 256;
/// How many runs of numbers are remembered over all chats.
const MOST_RUNS: usize = 2_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lane(usize);

pub(crate) struct Lanes {
    lanes: Vec<LaneState>,
    by_chat: HashMap<Arc<ChatId>, Lane>,
    /// Chats still to be made, in the order of the file.
    unborn: VecDeque<(Lane, NewChat)>,
    /// Lanes with a line to send and none under way.
    ready: VecDeque<Lane>,
    waiting_bytes: u64,
    runs: usize,
    detach_orphans: bool,
}

struct LaneState {
    chat: Arc<ChatId>,
    fate: Fate,
    waiting: VecDeque<Waiting>,
    /// A message is under way.
    busy: bool,
    /// It stands in `ready`.
    queued: bool,
    numbers: Renumbering,
}

enum Fate {
    Unborn,
    Made(u64),
    Refused(Arc<str>),
}

/// A line in its lane, as text: parsed it could take many times the room.
#[derive(Debug)]
struct Waiting {
    line: u64,
    bytes: u64,
    text: Vec<u8>,
}

/// The next thing to do in a lane.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Write this message; `settled` is told the outcome.
    Send(Sending),
    /// The line cannot be written; the lane has moved on by itself.
    Refuse {
        line: u64,
        bytes: u64,
        reason: String,
    },
    /// The line only named its chat.
    Done { bytes: u64 },
}

#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) lane: Lane,
    pub(crate) line: u64,
    pub(crate) bytes: u64,
    pub(crate) chat: Arc<ChatId>,
    /// The number that the server gave to the chat.
    pub(crate) chat_number: u64,
    /// As the file has it.
    pub(crate) message: MessageOfLine,
    /// The new number of the message it answers.
    pub(crate) reply_to: Option<u64>,
}

impl Sending {
    /// What to write: the file's message with the server's number in `reply_to`.
    pub(crate) fn translated(&self) -> NewMessage {
        NewMessage {
            reply_to: self.reply_to,
            ..self.message.new.clone()
        }
    }
}

impl Lanes {
    /// `detach_orphans`: write a reply to an unknown message without its `reply_to`.
    pub(crate) fn new(detach_orphans: bool) -> Self {
        Self {
            lanes: Vec::new(),
            by_chat: HashMap::new(),
            unborn: VecDeque::new(),
            ready: VecDeque::new(),
            waiting_bytes: 0,
            runs: 0,
            detach_orphans,
        }
    }

    /// Whether another line may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting_bytes < WINDOW_BYTES
    }

    /// Takes a line in, or says why it cannot be understood. `bytes` is its length in the input.
    pub(crate) fn add(&mut self, line: u64, bytes: u64, text: Vec<u8>) -> Result<(), String> {
        let lane = self.lane(parse(&text)?.chat);
        self.waiting_bytes += text.len() as u64 + LINE_OVERHEAD;
        self.lanes[lane.0]
            .waiting
            .push_back(Waiting { line, bytes, text });
        self.queue_if_able(lane);
        Ok(())
    }

    /// The next chat to make. Ask again only when its fate is known.
    pub(crate) fn next_chat(&mut self) -> Option<(Lane, Arc<ChatId>, NewChat)> {
        let (lane, new) = self.unborn.pop_front()?;
        Some((lane, Arc::clone(&self.lanes[lane.0].chat), new))
    }

    /// The chat's number, or why it will not be made.
    pub(crate) fn chat_settled(&mut self, lane: Lane, outcome: Result<u64, String>) {
        self.lanes[lane.0].fate = match outcome {
            Ok(number) => Fate::Made(number),
            Err(reason) => Fate::Refused(reason.into()),
        };
        self.queue_if_able(lane);
    }

    pub(crate) fn next_turn(&mut self) -> Option<Turn> {
        let lane = self.ready.pop_front()?;
        let state = &mut self.lanes[lane.0];
        state.queued = false;
        let waiting = state.waiting.pop_front().expect("a queued lane has a line");
        self.waiting_bytes -= waiting.text.len() as u64 + LINE_OVERHEAD;
        if state.waiting.is_empty() {
            // A chat that is done keeps no room for lines.
            state.waiting = VecDeque::new();
        }
        let turn = state.turn(lane, &waiting, self.detach_orphans);
        state.busy = matches!(turn, Turn::Send(_));
        self.queue_if_able(lane);
        Some(turn)
    }

    /// The line of this lane has its final answer: a new number, or `None` when it was refused.
    pub(crate) fn settled(&mut self, lane: Lane, number: Option<u64>, new_number: Option<u64>) {
        let state = &mut self.lanes[lane.0];
        state.busy = false;
        if let (Some(number), Some(new_number)) = (number, new_number) {
            let needs_run = state.numbers.needs_run(number, new_number);
            if !needs_run || self.runs < MOST_RUNS {
                state.numbers.remember(number, new_number);
                self.runs += usize::from(needs_run);
            }
        }
        self.queue_if_able(lane);
    }

    fn lane(&mut self, chat: ChatOfLine) -> Lane {
        if let Some(&lane) = self.by_chat.get(&chat.id) {
            return lane;
        }
        let lane = Lane(self.lanes.len());
        let id = Arc::new(chat.id);
        self.by_chat.insert(Arc::clone(&id), lane);
        self.unborn.push_back((
            lane,
            NewChat {
                name: chat.name,
                metadata: chat.metadata,
            },
        ));
        self.lanes.push(LaneState {
            chat: id,
            fate: Fate::Unborn,
            waiting: VecDeque::new(),
            busy: false,
            queued: false,
            numbers: Renumbering::default(),
        });
        lane
    }

    /// Called whenever something changed in favour of a lane.
    fn queue_if_able(&mut self, lane: Lane) {
        let state = &mut self.lanes[lane.0];
        let able = !matches!(state.fate, Fate::Unborn) && !state.busy && !state.waiting.is_empty();
        if able && !state.queued {
            state.queued = true;
            self.ready.push_back(lane);
        }
    }
}

impl LaneState {
    fn turn(&self, lane: Lane, waiting: &Waiting, detach_orphans: bool) -> Turn {
        let &Waiting {
            line,
            bytes,
            ref text,
        } = waiting;
        let chat_number = match &self.fate {
            Fate::Made(number) => *number,
            Fate::Refused(why) => {
                return Turn::Refuse {
                    line,
                    bytes,
                    reason: format!("its chat was refused: {why}"),
                };
            }
            Fate::Unborn => {
                unreachable!("a lane is queued only when the fate of its chat is known")
            }
        };
        let parsed = parse(text).expect("the line was understood when it came in");
        let Some(message) = parsed.message else {
            return Turn::Done { bytes };
        };
        if let Some(reason) = self.objection(&message, detach_orphans) {
            return Turn::Refuse {
                line,
                bytes,
                reason,
            };
        }
        let reply_to = message
            .new
            .reply_to
            .and_then(|target| self.numbers.new_number(target));
        let chat = Arc::clone(&self.chat);
        Turn::Send(Sending {
            lane,
            line,
            bytes,
            chat,
            chat_number,
            message,
            reply_to,
        })
    }

    fn objection(&self, message: &MessageOfLine, detach_orphans: bool) -> Option<String> {
        let taken = message
            .number
            .filter(|&number| self.numbers.new_number(number).is_some());
        if let Some(number) = taken {
            return Some(format!(
                "number: {number} stands on an earlier line of this chat; leave it out, or make it unique"
            ));
        }
        let target = message.new.reply_to?;
        if detach_orphans || self.numbers.new_number(target).is_some() {
            return None;
        }
        Some(format!(
            "reply_to: no imported line above it in this chat has number {target}; import that one first, \
             or use --orphan-replies detach"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(lines: &[&str]) -> Lanes {
        let mut lanes = Lanes::new(false);
        for (index, line) in lines.iter().enumerate() {
            lanes
                .add(
                    index as u64 + 1,
                    line.len() as u64,
                    line.as_bytes().to_vec(),
                )
                .unwrap();
        }
        lanes
    }

    fn make_chats(lanes: &mut Lanes) {
        let mut number = 100;
        while let Some((lane, _, _)) = lanes.next_chat() {
            number += 1;
            lanes.chat_settled(lane, Ok(number));
        }
    }

    /// Line, chat, reply.
    type Seen = (u64, u64, Option<u64>);

    /// Sends everything, one at a time; the server refuses what says "bad". What it saw, and what was refused.
    fn drain(lanes: &mut Lanes) -> (Vec<Seen>, Vec<(u64, String)>) {
        let (mut seen, mut refused, mut next) = (vec![], vec![], 0);
        while let Some(turn) = lanes.next_turn() {
            match turn {
                Turn::Send(sending) => {
                    let new_number = (sending.message.new.content != "bad").then(|| {
                        next += 1;
                        next
                    });
                    seen.push((
                        sending.line,
                        sending.chat_number,
                        sending.translated().reply_to,
                    ));
                    lanes.settled(sending.lane, sending.message.number, new_number);
                }
                Turn::Refuse { line, reason, .. } => refused.push((line, reason)),
                Turn::Done { .. } => {}
            }
        }
        (seen, refused)
    }

    #[test]
    fn nothing_is_sent_before_its_chat_exists_and_chats_are_made_in_order() {
        let mut lanes = lanes(&[
            r#"{"chat":{"name":"b"},"content":"1"}"#,
            r#"{"chat":{"name":"a"},"content":"2"}"#,
            r#"{"chat":{"name":"b"},"content":"3"}"#,
        ]);
        assert!(lanes.next_turn().is_none());
        let (first, chat, new) = lanes.next_chat().unwrap();
        assert_eq!(
            (chat.as_ref(), new.name.as_deref()),
            (&ChatId::Name("b".into()), Some("b"))
        );
        lanes.chat_settled(first, Ok(1));
        assert!(matches!(
            lanes.next_turn(),
            Some(Turn::Send(Sending { line: 1, .. }))
        ));
        assert!(lanes.next_turn().is_none(), "one line of a chat at a time");
        let (second, _, _) = lanes.next_chat().unwrap();
        lanes.chat_settled(second, Ok(2));
        assert!(matches!(
            lanes.next_turn(),
            Some(Turn::Send(Sending { line: 2, .. }))
        ));
        lanes.settled(first, None, Some(1));
        assert!(matches!(
            lanes.next_turn(),
            Some(Turn::Send(Sending { line: 3, .. }))
        ));
        assert!(lanes.next_chat().is_none());
    }

    #[test]
    fn a_reply_gets_the_new_number_of_what_it_answers() {
        let mut lanes = lanes(&[
            r#"{"chat":{"number":1},"number":70,"content":"x"}"#,
            r#"{"chat":{"number":1},"number":71,"content":"x","reply_to":70}"#,
            r#"{"chat":{"number":2},"number":70,"content":"x"}"#,
            r#"{"chat":{"number":2},"number":71,"content":"x","reply_to":70}"#,
        ]);
        make_chats(&mut lanes);
        let (mut seen, refused) = drain(&mut lanes);
        seen.sort_unstable();
        assert_eq!(refused, []);
        assert_eq!(
            seen,
            [
                (1, 101, None),
                (2, 101, Some(1)),
                (3, 102, None),
                (4, 102, Some(2))
            ]
        );
    }

    #[test]
    fn a_reply_to_what_is_not_there_is_refused_or_detached() {
        let lines = [
            r#"{"chat":{"number":1},"number":1,"content":"bad"}"#,
            r#"{"chat":{"number":1},"number":2,"content":"x","reply_to":1}"#,
            r#"{"chat":{"number":1},"number":3,"content":"x","reply_to":4}"#,
            r#"{"chat":{"number":1},"number":4,"content":"x"}"#,
        ];
        let mut strict = lanes(&lines);
        make_chats(&mut strict);
        let (seen, refused) = drain(&mut strict);
        assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(
            refused.iter().map(|refused| refused.0).collect::<Vec<_>>(),
            [2, 3]
        );
        assert!(
            refused[0]
                .1
                .starts_with("reply_to: no imported line above it in this chat has number 1;")
        );

        let mut lenient = lanes(&lines);
        lenient.detach_orphans = true;
        make_chats(&mut lenient);
        assert_eq!(drain(&mut lenient).0.len(), 4);
    }

    #[test]
    fn a_number_stands_once_in_a_chat_unless_its_first_line_was_refused() {
        let mut lanes = lanes(&[
            r#"{"chat":{"number":1},"number":1,"content":"bad"}"#,
            r#"{"chat":{"number":1},"number":1,"content":"good"}"#,
            r#"{"chat":{"number":1},"number":1,"content":"again"}"#,
        ]);
        make_chats(&mut lanes);
        let (seen, refused) = drain(&mut lanes);
        assert_eq!(seen.len(), 2);
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].0, 3);
    }

    #[test]
    fn every_line_of_a_refused_chat_is_refused_with_the_reason() {
        let mut lanes = lanes(&[
            r#"{"chat":{"name":" "},"content":"x"}"#,
            r#"{"chat":{"name":" "}}"#,
            r#"{"chat":{"name":"b"},"content":"x"}"#,
        ]);
        let (lane, _, _) = lanes.next_chat().unwrap();
        lanes.chat_settled(lane, Err("name: is blank".into()));
        make_chats(&mut lanes);
        let (seen, refused) = drain(&mut lanes);
        assert_eq!(seen.len(), 1);
        let reason = "its chat was refused: name: is blank".to_owned();
        assert_eq!(refused, [(1, reason.clone()), (2, reason)]);
    }

    #[test]
    fn reading_stops_while_too_much_is_waiting() {
        let mut lanes = Lanes::new(false);
        let line = br#"{"chat":{"number":1},"content":"x"}"#;
        let mut count = 0;
        while lanes.has_room() {
            count += 1;
            lanes.add(count, 0, line.to_vec()).unwrap();
        }
        assert_eq!(
            count,
            WINDOW_BYTES.div_ceil(line.len() as u64 + LINE_OVERHEAD)
        );
        make_chats(&mut lanes);
        drain(&mut lanes);
        assert!(lanes.has_room());
        assert_eq!(lanes.waiting_bytes, 0);
    }
}
