//! The stack machine of a pickle.
//!
//! Every opcode that would import, call or set builds a record instead. Time and memory are bounded by the limits of
//! the parent module; nothing recurses.

use std::borrow::Cow;

use super::super::super::bytes::Bytes;
use super::super::super::error::{CheckpointError, Place, Result};
use super::value::{Heap, Id, Node, Object};
use super::{MAX_NAMES, MAX_OPERATIONS, MAX_STACK, MAX_VALUES};

/// Runs the pickle that begins at byte `start` of `bytes`. Gives its value and the byte behind it.
pub(in super::super) fn load<'a>(bytes: &'a [u8], start: usize, heap: &mut Heap<'a>) -> Result<(Id, usize)> {
    let mut machine = Machine {
        heap,
        input: Bytes::new(bytes, start, "pickle"),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        copied: 0,
    };
    let mut operations = 0;
    loop {
        let at = machine.input.position();
        operations += 1;
        if operations > MAX_OPERATIONS {
            return Err(CheckpointError::limit(format!("a pickle of more than {MAX_OPERATIONS} operations")));
        }
        let opcode = machine.input.u8()?;
        if opcode == b'.' {
            let value = machine.pop().map_err(|e| e.at(Place::Byte(at as u64)))?;
            return Ok((value, machine.input.position()));
        }
        machine.step(opcode).map_err(|e| e.at(Place::Byte(at as u64)))?;
    }
}

struct Machine<'a, 'h> {
    heap: &'h mut Heap<'a>,
    input: Bytes<'a>,
    stack: Vec<Id>,
    /// Heights of the stack at each MARK.
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
    /// Bytes of the names that were put together so far.
    copied: usize,
}

fn wrong(message: impl Into<String>) -> CheckpointError {
    CheckpointError::malformed(message)
}

impl<'a> Machine<'a, '_> {
    #[expect(clippy::too_many_lines, reason = "one flat match over the opcodes")]
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // Framing
            0x80 => match self.input.u8()? {
                0..=5 => Ok(()),
                other => Err(CheckpointError::unsupported(format!("pickle protocol {other}"))),
            },
            0x95 => self.input.u64().map(drop),
            // Scalars
            b'N' => self.push(Heap::NONE),
            0x88 => self.push(Heap::TRUE),
            0x89 => self.push(Heap::FALSE),
            b'J' => {
                let n = i32::from_le_bytes(self.input.array()?);
                self.make(Node::Int(n.into()))
            }
            b'K' => {
                let n = self.input.u8()?;
                self.make(Node::Int(n.into()))
            }
            b'M' => {
                let n = self.input.u16()?;
                self.make(Node::Int(n.into()))
            }
            b'I' => match self.input.line_text()? {
                "00" => self.push(Heap::FALSE),
                "01" => self.push(Heap::TRUE),
                text => self.decimal(text),
            },
            b'L' => {
                let text = self.input.line_text()?;
                self.decimal(text.strip_suffix('L').unwrap_or(text))
            }
            0x8a => {
                let length = self.input.u8()?.into();
                self.long(length)
            }
            0x8b => {
                let length = self.length32()?;
                self.long(length)
            }
            b'F' => {
                let text = self.input.line_text()?;
                let value = text.parse().map_err(|_| wrong("a float that is none"))?;
                self.make(Node::Float(value))
            }
            b'G' => {
                let value = f64::from_be_bytes(self.input.array()?);
                self.make(Node::Float(value))
            }
            // Text and bytes
            b'S' => {
                let text = self.input.quoted_line()?;
                self.make(Node::Text(text.into()))
            }
            b'V' => {
                let text = self.input.unicode_line()?;
                self.make(Node::Text(text.into()))
            }
            b'T' => {
                let length = self.length32()?;
                let text = self.input.old_text(length)?;
                self.make(Node::Text(text))
            }
            b'U' => {
                let length = self.input.u8()?.into();
                let text = self.input.old_text(length)?;
                self.make(Node::Text(text))
            }
            0x8c => {
                let length = self.input.u8()?.into();
                self.text(length)
            }
            b'X' => {
                let length = self.input.u32()?.into();
                self.text(length)
            }
            0x8d => {
                let length = self.input.u64()?;
                self.text(length)
            }
            b'C' => {
                let length = self.input.u8()?.into();
                self.bytes(length)
            }
            b'B' => {
                let length = self.input.u32()?.into();
                self.bytes(length)
            }
            0x8e | 0x96 => {
                let length = self.input.u64()?;
                self.bytes(length)
            }
            // Containers
            b'(' => {
                self.room(self.marks.len())?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b']' => self.make(Node::List(Vec::new())),
            b')' => self.push(Heap::EMPTY_TUPLE),
            b'}' => self.make(Node::Dict(Vec::new())),
            0x8f => self.make(Node::Set(Vec::new())),
            b'l' => {
                let items = self.take_to_mark()?;
                self.make(Node::List(items))
            }
            b't' => {
                let items = self.take_to_mark()?;
                self.make(Node::Tuple(items))
            }
            0x91 => {
                let items = self.take_to_mark()?;
                self.make(Node::Set(items))
            }
            b'd' => {
                let items = self.take_to_mark()?;
                let items = pairs(&items)?;
                self.make(Node::Dict(items))
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.make(Node::Tuple(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.take_to_mark()?;
                self.append(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![(key, value)])
            }
            b'u' => {
                let items = self.take_to_mark()?;
                self.set(pairs(&items)?)
            }
            // Stack and memo
            b'0' => match self.marks.last() {
                Some(mark) if *mark == self.stack.len() => {
                    self.marks.pop();
                    Ok(())
                }
                _ => self.pop().map(drop),
            },
            b'1' => self.take_to_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            b'p' => {
                let slot = self.slot_line()?;
                self.put(slot)
            }
            b'q' => {
                let slot = self.input.u8()?.into();
                self.put(slot)
            }
            b'r' => {
                let slot = self.input.u32()?.into();
                self.put(slot)
            }
            0x94 => self.put(self.memo.len() as u64),
            b'g' => {
                let slot = self.slot_line()?;
                self.fetch(slot)
            }
            b'h' => {
                let slot = self.input.u8()?.into();
                self.fetch(slot)
            }
            b'j' => {
                let slot = self.input.u32()?.into();
                self.fetch(slot)
            }
            // What would import, call or set
            b'c' => {
                let (module, name) = (self.input.line_text()?, self.input.line_text()?);
                let global = self.global(module.into(), name.into())?;
                self.push(global)
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Node::Text(module), Node::Text(name)) = (self.heap.get(module), self.heap.get(name))
                else {
                    return Err(wrong("a class whose name is no text"));
                };
                let (module, name) = (module.clone(), name.clone());
                let global = self.global(module, name)?;
                self.push(global)
            }
            0x82..=0x84 => {
                let code =
                    self.input.take([1, 2, 4].get(usize::from(opcode - 0x82)).copied().unwrap_or(1))?;
                let code = code.iter().rev().fold(0u32, |n, b| n << 8 | u32::from(*b));
                self.make(Node::Global(format!("copyreg extension {code}")))
            }
            b'P' => {
                let id = self.input.line_text()?;
                let id = self.heap.add(Node::Text(id.into()))?;
                self.make(Node::Persistent(id))
            }
            b'Q' => {
                let id = self.pop()?;
                self.make(Node::Persistent(id))
            }
            b'R' | 0x81 => {
                let args = self.pop()?;
                let class = self.pop()?;
                self.object(class, args)
            }
            0x92 => {
                let _keywords = self.pop()?;
                let args = self.pop()?;
                let class = self.pop()?;
                self.object(class, args)
            }
            b'i' => {
                let (module, name) = (self.input.line_text()?, self.input.line_text()?);
                let args = self.take_to_mark()?;
                let class = self.global(module.into(), name.into())?;
                let args = self.heap.add(Node::Tuple(args))?;
                self.object(class, args)
            }
            b'o' => {
                let mut args = self.take_to_mark()?;
                if args.is_empty() {
                    return Err(wrong("an instance without a class"));
                }
                let class = args.remove(0);
                let args = self.heap.add(Node::Tuple(args))?;
                self.object(class, args)
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                match self.heap.get_mut(target) {
                    Some(Node::Object(object)) => {
                        object.state = Some(state);
                        Ok(())
                    }
                    _ => Err(wrong("a state for something that has none")),
                }
            }
            0x97 | 0x98 => Err(CheckpointError::unsupported("a pickle with buffers outside of it")),
            other => Err(wrong(format!("{other:#04x} is no pickle opcode"))),
        }
    }

    fn room(&self, height: usize) -> Result<()> {
        match height < MAX_STACK {
            true => Ok(()),
            false => Err(CheckpointError::limit(format!("a pickle whose stack is deeper than {MAX_STACK}"))),
        }
    }

    fn push(&mut self, id: Id) -> Result<()> {
        self.room(self.stack.len())?;
        self.stack.push(id);
        Ok(())
    }

    fn make(&mut self, node: Node<'a>) -> Result<()> {
        let id = self.heap.add(node)?;
        self.push(id)
    }

    /// A class or function, by name only. Names are copied, and one text may be asked for many times.
    fn global(&mut self, module: Cow<'a, str>, name: Cow<'a, str>) -> Result<Id> {
        self.copied = self.copied.saturating_add(module.len()).saturating_add(name.len());
        if self.copied > MAX_NAMES {
            return Err(CheckpointError::limit(format!(
                "a pickle with more than {MAX_NAMES} bytes of class names"
            )));
        }
        self.heap.add(Node::Global(format!("{module}.{name}")))
    }

    fn object(&mut self, class: Id, args: Id) -> Result<()> {
        let object = Object { class, args, state: None, items: Vec::new(), list: Vec::new() };
        self.make(Node::Object(Box::new(object)))
    }

    /// Takes the top, never from below the last MARK.
    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(|above| above.last());
        top.copied().ok_or_else(|| wrong("an operation on an empty stack"))
    }

    /// Takes everything above the last MARK, and the MARK.
    fn take_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| wrong("an operation that needs a mark, without one"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn append(&mut self, mut items: Vec<Id>) -> Result<()> {
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Node::List(list) | Node::Set(list)) => list.append(&mut items),
            Some(Node::Object(object)) => object.list.append(&mut items),
            _ => return Err(wrong("items for something that is no list")),
        }
        Ok(())
    }

    fn set(&mut self, mut items: Vec<(Id, Id)>) -> Result<()> {
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Node::Dict(dict)) => dict.append(&mut items),
            Some(Node::Object(object)) => object.items.append(&mut items),
            _ => return Err(wrong("keys for something that is no dict")),
        }
        Ok(())
    }

    fn put(&mut self, slot: u64) -> Result<()> {
        let top = self.top()?;
        // Writers number slots from 0 without gaps, so a slot beyond the values there can be is none.
        let slot = usize::try_from(slot).ok().filter(|s| *s < MAX_VALUES);
        let slot = slot.ok_or_else(|| CheckpointError::limit("a memo slot beyond the number of values"))?;
        if slot >= self.memo.len() {
            self.memo.resize(slot + 1, None);
        }
        if let Some(kept) = self.memo.get_mut(slot) {
            *kept = Some(top);
        }
        Ok(())
    }

    fn fetch(&mut self, slot: u64) -> Result<()> {
        let kept = usize::try_from(slot).ok().and_then(|s| self.memo.get(s).copied().flatten());
        let kept = kept.ok_or_else(|| wrong(format!("memo slot {slot} is empty")))?;
        self.push(kept)
    }

    fn slot_line(&mut self) -> Result<u64> {
        self.input.line_text()?.parse().map_err(|_| wrong("a memo slot that is no number"))
    }

    /// A length that the format stores signed.
    fn length32(&mut self) -> Result<u64> {
        let length = self.input.u32()?;
        match i32::try_from(length) {
            Ok(_) => Ok(length.into()),
            Err(_) => Err(wrong("a negative length")),
        }
    }

    fn decimal(&mut self, text: &str) -> Result<()> {
        match text.parse::<i64>() {
            Ok(n) => self.make(Node::Int(n)),
            Err(_)
                if !text.is_empty() && text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) =>
            {
                self.make(Node::Wide(text.chars().take(40).collect()))
            }
            Err(_) => Err(wrong("an integer that is none")),
        }
    }

    /// A little-endian two's complement integer.
    fn long(&mut self, length: u64) -> Result<()> {
        let bytes = self.input.take(length)?;
        if bytes.len() > 8 {
            let shown: String = bytes.iter().rev().take(20).map(|b| format!("{b:02x}")).collect();
            return self.make(Node::Wide(format!("0x{shown}")));
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut all = [if negative { 0xff } else { 0 }; 8];
        for (to, from) in all.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.make(Node::Int(i64::from_le_bytes(all)))
    }

    fn text(&mut self, length: u64) -> Result<()> {
        let text = self.input.text(length)?;
        self.make(Node::Text(text))
    }

    fn bytes(&mut self, length: u64) -> Result<()> {
        let bytes = self.input.take(length)?;
        self.make(Node::Bytes(Cow::Borrowed(bytes)))
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err(wrong("a dict with a key and no value")),
    }
}
