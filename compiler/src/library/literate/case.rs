//! From sections to cases.

use super::compiler::Inputs;
use super::expect::Expectation;
use super::markdown::{Block, Document};

/// Name of the file that a block without a name is.
const MAIN: &str = "recipe.icp";

/// Name of a listing before it is known which checkpoint it stands for.
const UNNAMED: &str = "";

/// One section that has something to run.
#[derive(Clone, Debug)]
pub struct Case {
    /// Title of the section.
    pub title: String,
    /// Its line, from 1.
    pub line: usize,
    /// What the compiler gets.
    pub inputs: Inputs,
    /// What it must say: the kind, and the index of the block.
    pub outputs: Vec<(Output, usize)>,
    /// What must be true of what it says, with the line of each.
    pub expectations: Vec<(usize, Expectation)>,
    /// Texts that must parse, with the line of their block.
    pub texts: Vec<(usize, String)>,
}

/// Kind of an output block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Full rendering.
    Diagnostics,
    /// One line each.
    Short,
    /// Text of the plan.
    Plan,
    /// The main file after its fixes.
    Fixed,
}

impl Output {
    fn of(kind: &str) -> Option<Output> {
        match kind {
            "diagnostics" => Some(Output::Diagnostics),
            "short" => Some(Output::Short),
            "plan" => Some(Output::Plan),
            "fixed" => Some(Output::Fixed),
            _ => None,
        }
    }
}

/// Cases of a document, top to bottom: the sections with an `icp` block. A section without a listing has that of the
/// section above, and so it is with files beside the recipe.
///
/// # Errors
/// An output without a recipe, an unknown `within`.
pub fn cases(document: &Document) -> Result<Vec<Case>, String> {
    let mut out = Vec::new();
    let mut above = Inputs::default();
    for (number, section) in document.sections.iter().enumerate() {
        let mut inputs = Inputs { args: Vec::new(), main: String::new(), ..above.clone() };
        inputs.files.remove(MAIN);
        let mut case = Case {
            title: section.title.clone(),
            line: section.line,
            inputs,
            outputs: Vec::new(),
            expectations: Vec::new(),
            texts: Vec::new(),
        };
        let blocks: Vec<(usize, &Block)> =
            document.blocks.iter().enumerate().filter(|(_, b)| b.section == number).collect();
        if blocks.iter().any(|(_, b)| b.kind == "listing") {
            case.inputs.listings.clear();
        }
        for (index, block) in blocks {
            case.block(document, block, index)?;
        }
        if case.texts.is_empty() && !(case.outputs.is_empty() && case.expectations.is_empty()) {
            return Err(format!("{}:{}: outputs without a recipe", document.path, section.line));
        }
        above = case.inputs.clone();
        if case.inputs.files.contains_key(MAIN) {
            case.inputs.main = MAIN.to_owned();
        }
        if let Some(listing) = case.inputs.listings.remove(UNNAMED) {
            let name = checkpoint(&case.inputs).unwrap_or("checkpoint");
            // As a recipe's paths are: relative to its folder.
            let folder = case.inputs.main.rfind('/').and_then(|i| case.inputs.main.get(..=i)).unwrap_or("");
            let name = format!("{folder}{name}");
            case.inputs.listings.insert(name, listing);
        }
        if !case.texts.is_empty() {
            out.push(case);
        }
    }
    Ok(out)
}

impl Case {
    fn block(&mut self, document: &Document, block: &Block, index: usize) -> Result<(), String> {
        let body = document.body(block);
        let file = block.attributes.get("file").cloned();
        match (block.kind.as_str(), file) {
            ("icp", file) => {
                let within = block.attributes.get("within").map(String::as_str);
                let text =
                    whole(body, within).map_err(|e| format!("{}:{}: {e}", document.path, block.line))?;
                self.texts.push((block.line, text));
                if within.is_none() {
                    self.inputs.main = file.unwrap_or_else(|| MAIN.to_owned());
                    self.inputs.files.insert(self.inputs.main.clone(), body.to_owned());
                }
            }
            ("listing", file) => {
                let name = file.unwrap_or_else(|| UNNAMED.to_owned());
                self.inputs.listings.insert(name, body.to_owned());
            }
            ("args", _) => self.inputs.args = body.split_whitespace().map(str::to_owned).collect(),
            ("expect", None) => {
                for (line, text) in (block.line + 1..).zip(body.lines().map(str::trim)) {
                    if !text.is_empty() && !text.starts_with("//") {
                        let read = Expectation::read(text);
                        self.expectations
                            .push((line, read.map_err(|e| format!("{}:{line}: {e}", document.path))?));
                    }
                }
            }
            (_, Some(file)) => drop(self.inputs.files.insert(file, body.to_owned())),
            (kind, None) => self.outputs.extend(Output::of(kind).map(|o| (o, index))),
        }
        Ok(())
    }
}

/// A part of a recipe in the rest of one.
fn whole(body: &str, within: Option<&str>) -> Result<String, String> {
    match within {
        None => Ok(body.to_owned()),
        Some("recipe") => Ok(format!("recipe part {{\n{body}}}\n")),
        Some("assign") => Ok(format!("recipe part {{\nassign {{\n{body}}}\n}}\n")),
        Some(other) => Err(format!("`within={other}` is neither `recipe` nor `assign`")),
    }
}

/// The first checkpoint that the main file names, or any other.
fn checkpoint(inputs: &Inputs) -> Option<&str> {
    let main = inputs.files.get(&inputs.main);
    main.into_iter().chain(inputs.files.values()).find_map(|text| {
        let (_, rest) = text.split_once("checkpoint \"")?;
        rest.split_once('"').map(|(path, _)| path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_become_cases() {
        let text = "\
# Title
## one
```listing
a f32 [1]
```
```icp
recipe a { checkpoint \"a.pt\"; }
```
```json file=config.json
{}
```
```args
--set clip=1%
```
```short
```
## prose only
## two
```icp file=common.icp
const x = 1;
```
```icp within=assign
_ => keep,
```
## three
```icp
recipe b { checkpoint \"b.pt\"; }
```
";
        let cases = cases(&Document::parse("a.md", text).unwrap()).unwrap();
        let shown: Vec<String> = cases
            .iter()
            .map(|c| {
                let (files, listings) = (c.inputs.files.keys(), c.inputs.listings.keys());
                format!(
                    "{}: main {} files {files:?} listings {listings:?} args {:?} outputs {:?} texts {:?}",
                    c.title, c.inputs.main, c.inputs.args, c.outputs, c.texts
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        one: main recipe.icp files ["config.json", "recipe.icp"] listings ["a.pt"] args ["--set", "clip=1%"] outputs [(Short, 4)] texts [(6, "recipe a { checkpoint \"a.pt\"; }\n")]
        two: main common.icp files ["common.icp", "config.json"] listings ["checkpoint"] args [] outputs [] texts [(19, "const x = 1;\n"), (22, "recipe part {\nassign {\n_ => keep,\n}\n}\n")]
        three: main recipe.icp files ["common.icp", "config.json", "recipe.icp"] listings ["b.pt"] args [] outputs [] texts [(26, "recipe b { checkpoint \"b.pt\"; }\n")]
        "#);
    }

    #[test]
    fn outputs_need_a_recipe() {
        let d = Document::parse("a.md", "## x\n```short\n```\n").unwrap();
        assert_eq!(cases(&d).unwrap_err(), "a.md:1: outputs without a recipe");
        let d = Document::parse("a.md", "```icp within=arch\n```\n").unwrap();
        assert_eq!(cases(&d).unwrap_err(), "a.md:1: `within=arch` is neither `recipe` nor `assign`");
    }
}
