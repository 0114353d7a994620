" Colours without Tree-sitter. Keywords are contextual: a tensor may have a segment called `use` or `in`, so words count only
" where the language has them.
if exists('b:current_syntax')
  finish
endif

syn case match

" ---------------------------------------------------------------- words, from the compiler's tables

" words: declarations
let s:declarations = ['use', 'const', 'recipe', 'arch', 'derive', 'extends', 'for',]
" words: end
" words: operations
let s:operations = ['checkpoint', 'target', 'casts', 'set', 'prune', 'assign', 'calibrate',
      \ 'evaluate', 'tune', 'require', 'emit',]
" words: end
" words: pattern-words
let s:pattern_words = ['where', 'except', 'and', 'or', 'not',]
" words: end
" words: value-words
let s:value_words = ['of', 'as', 'in', 'from',]
" words: end
" words: constants
let s:constants = ['true', 'false',]
" words: end
" words: arch-words
let s:arch_words = ['dim', 'recurrent', 'residual', 'default', 'either', 'forward',]
" words: end
" words: forward-words
let s:forward_words = ['let', 'for', 'match', 'if', 'else',]
" words: end
" words: formats
let s:formats = ['keep', 'drop', 'fp32', 'fp16', 'bf16', 'fp8_e4m3', 'fp8_e5m2', 'int8', 'int4',
      \ 'nf4', 'fp4',]
" words: end
" words: arguments
let s:arguments = ['saturate', 'per', 'axis', 'symmetric', 'clip', 'scale', 'activations', 'pack',
      \ 'block', 'double',]
" words: end
" words: fields
let s:fields = ['data', 'tokenizer', 'samples', 'batch', 'max_length', 'seed', 'statistics',
      \ 'window', 'stride', 'shift', 'steps', 'lr', 'accumulate', 'warmup', 'weight_decay',
      \ 'clip_norm', 'distill', 'labels', 'temperature', 'freeze', 'evaluate_every',
      \ 'checkpoint_every', 'keep', 'sparsity', 'by', 'shards',]
" words: end
" words: choices
let s:choices = ['tensor', 'channel', 'block', 'minmax', 'percentile', 'mse', 'dynamic', 'static',
      \ 'absmax', 'low', 'high', 'magnitude', 'l1', 'l2', 'baseline',]
" words: end
" words: properties
let s:properties = ['rank', 'params', 'bytes', 'dtype', 'dim', 'layer', 'role',]
" words: end
" words: metrics
let s:metrics = ['size', 'compression', 'memory', 'sqnr', 'clipped', 'perplexity',]
" words: end
" words: containers
let s:containers = ['safetensors', 'bitsandbytes',]
" words: end
" words: targets
let s:targets = ['cpu', 'cuda', 'sm_80', 'a30', 'a40', 'a100', 'h100', 'h200', 'l4', 'l40s',
      \ 'v100', 't4', 'b200',]
" words: end
" words: kinds
let s:kinds = ['int', 'float', 'percent', 'ratio', 'size', 'string', 'bool', 'format',]
" words: end
" words: dtypes
let s:dtypes = ['bool', 'u8', 'i8', 'f8_e4m3', 'f8_e5m2', 'u16', 'i16', 'f16', 'bf16', 'u32',
      \ 'i32', 'f32', 'u64', 'i64', 'f64', 'c64',]
" words: end
" words: units
let s:units = ['B', 'kB', 'MB', 'GB', 'TB', 'KiB', 'MiB', 'GiB', 'TiB',]
" words: end

" `syn match GROUP` for whole words, with what must follow and how the match is used.
function! s:Words(group, words, behind, options) abort
  execute printf('syn match %s /\<\%%(%s\)\>%s/ %s', a:group, join(a:words, '\|'), a:behind, a:options)
endfunction

" ---------------------------------------------------------------- comments and texts

syn match icpComment "//.*$" contains=icpTodo,@Spell
syn match icpDocComment "//[/!].*$" contains=icpTodo,@Spell
syn keyword icpTodo TODO FIXME XXX contained
syn match icpEscape "\\." contained
syn region icpString start=+"+ skip=+\\.+ end=+"\|$+ contains=icpEscape

" ---------------------------------------------------------------- values

syn match icpNumber "\%(\w\|\.\)\@<![-+]\?\d[0-9_]*\%(\.\d[0-9_]*\)\?\%([eE][-+]\?\d\+\)\?\%(\s*%\|\s*x\>\)\?"
execute printf('syn match icpUnit /\%%(\d\s*\)\@<=\%%(%s\)\>/', join(s:units, '\|'))
call s:Words('icpConstant', s:constants, '', '')
call s:Words('icpValueWord', s:value_words, '', 'contained')
call s:Words('icpFormat', s:formats, '', 'contained')
call s:Words('icpChoice', s:choices, '', 'contained')
call s:Words('icpContainer', s:containers, '', 'contained')
call s:Words('icpArgument', s:arguments + s:fields, '\ze\s*:', 'contained')
syn cluster icpValue contains=icpComment,icpDocComment,icpString,icpNumber,icpUnit,icpConstant,icpValueWord,icpFormat,icpChoice,icpContainer,icpArguments,icpList
syn region icpArguments matchgroup=icpDelimiter start="(" end=")" contained contains=@icpValue,icpArgument
syn region icpList matchgroup=icpDelimiter start="\[" end="\]" contained contains=@icpValue

" ---------------------------------------------------------------- files

call s:Words('icpDeclaration', s:declarations, '', '')
syn region icpUse matchgroup=icpDeclaration start="^\s*use\>" matchgroup=icpDelimiter end=";" contains=icpString,icpComment,icpNamespace
syn match icpNamespace "\w\+\ze\s*\%(::\|;\)" contained
syn region icpConst matchgroup=icpDeclaration start="^\s*const\>" matchgroup=icpDelimiter end=";" contains=@icpValue,icpKind
syn match icpRecipeName "\%(\<\%(recipe\|extends\)\s\+\)\@<=\w\+"
syn match icpArchName "\%(\<\%(arch\|derive\|for\)\s\+\)\@<=\%(\w\+::\)*\w\+"
syn region icpParameters matchgroup=icpDelimiter start="\%(\<\%(recipe\|extends\)\s\+\w\+\s*\)\@<=(" end=")" contains=@icpValue,icpKind,icpParameter
syn match icpParameter "\<\w\+\ze\s*[:=]" contained
execute printf('syn match icpKind /\%%(:\s*\)\@<=\%%(%s\)\>/', join(s:kinds, '\|'))

" ---------------------------------------------------------------- recipes

syn region icpRecipe matchgroup=icpDelimiter start="\%(^\s*recipe\>[^{]*\)\@<={" end="}" fold transparent contains=icpComment,icpDocComment,icpItem,icpAssign,icpPrune,icpSettings,icpRequire,icpTarget,icpSet
syn cluster icpItems contains=icpItem
execute printf('syn region icpItem matchgroup=icpOperation start=/\<\%%(%s\)\>/ matchgroup=icpDelimiter end=/;/ contained contains=@icpValue', join(s:operations, '\|'))
execute 'syn region icpTarget matchgroup=icpOperation start=/\<target\>/ matchgroup=icpDelimiter end=/;/ contained contains=icpDevice,icpComment'
execute printf('syn match icpDevice /\<\%%(%s\)\%%(:\d\+\)\?\>/ contained', join(s:targets, '\|'))
syn region icpSet matchgroup=icpOperation start="\<set\>" matchgroup=icpDelimiter end=";" contained contains=@icpValue,icpSetName
syn match icpSetName "\%(\<set\s\+\)\@<=\w\+" contained

syn region icpSettings matchgroup=icpOperation start="\<\%(calibrate\|evaluate\|tune\)\>" matchgroup=icpDelimiter end="}" fold contained contains=@icpValue,icpField
call s:Words('icpField', s:fields, '\ze\s*:', 'contained')
syn region icpRequire matchgroup=icpOperation start="\<require\>" matchgroup=icpDelimiter end="}" fold contained contains=@icpValue,icpMetric,icpCompare
call s:Words('icpMetric', s:metrics, '\ze\s*[<>=!]', 'contained')
syn match icpCompare "[<>=!]=\|[<>]" contained

syn region icpAssign matchgroup=icpOperation start="\<assign\>\_s*{" matchgroup=icpDelimiter end="}" fold contained contains=@icpPattern,icpArm
syn region icpArm matchgroup=icpOperator start="=>" end="\ze[,}]" contained contains=@icpValue
syn region icpPrune matchgroup=icpOperation start="\<prune\>" matchgroup=icpDelimiter end="}" contained contains=@icpPattern,icpPruneDim,icpFields

syn cluster icpPattern contains=icpComment,icpDocComment,icpString,icpRole,icpTensor,icpRest,icpWildcard,icpBraces,icpWhere,icpPatternWord
syn match icpTensor "[0-9A-Za-z_-]\+" contained
execute printf('syn match icpPatternWord /\%%([.*?}]\|\w\)\@<!\%%(%s\)\>\ze\s*\%%($\|[^ =?|,.*{]\)/ contained', join(s:pattern_words, '\|'))
syn match icpRest "\%([.*?}]\|\w\)\@<!_\%([.*?{]\|\w\)\@!" contained
syn match icpWildcard "[*?|]" contained
syn match icpRole "@\w\+"
syn match icpPruneDim "\%(prune\s\+\)\@<=dim\s\+\w\+\s\+in\>" contained contains=icpPruneWord
syn match icpPruneWord "\<\%(dim\|in\)\>" contained
syn region icpBraces matchgroup=icpWildcard start="{" end="}" contained contains=icpTensor,icpWildcard,icpRange,icpBraces
" Of two that begin at one place the later wins: these braces hold fields, not a choice.
syn region icpFields matchgroup=icpDelimiter start="{\%(\s*\%(//.*\)\?$\|\s*\w\+\s*:\)\@=" end="\ze}" contained contains=@icpValue,icpField
syn match icpRange "\d*\.\.=\?\d*" contained
syn region icpWhere matchgroup=icpPatternWord start="\%([.*?}]\|\w\)\@<!where\>\%(\s*\%($\|(\|not\>\|\w\+\s*[<>=!(]\)\)\@=" end="\ze\%(\<except\>\|=>\|[{}]\)" contained contains=@icpValue,icpProperty,icpDtype,icpCompare,icpConditionWord
call s:Words('icpConditionWord', s:pattern_words, '', 'contained')
call s:Words('icpProperty', s:properties, '\ze\s*[<>=!(]', 'contained')
call s:Words('icpDtype', s:dtypes, '', 'contained')

" ---------------------------------------------------------------- architectures

syn region icpArch matchgroup=icpDelimiter start="\%(^\s*arch\s\+\w\+\s*\)\@<={" end="}" fold transparent contains=icpArchBlock,icpComment,icpDocComment,icpRole,icpShape,icpArchWord,icpDefault,icpForward,icpCompare,icpEach
syn region icpArchBlock matchgroup=icpDelimiter start="{" end="}" fold transparent contained contains=icpArchBlock,icpComment,icpDocComment,icpRole,icpShape,icpArchWord,icpEach
syn match icpEach "{[0-9A-Za-z_, -]*}" contained
execute printf('syn match icpArchWord /\%%(\.\)\@<!\<\%%(%s\|or\)\>\ze\%%(\s\|(\|{\)/ contained', join(s:arch_words, '\|'))
syn region icpShape matchgroup=icpDelimiter start="\%(:\s*\)\@<=\[" end="\]" contained contains=icpNumber,icpDim
syn match icpDim "\<\a\w*" contained
syn region icpDefault matchgroup=icpArchWord start="\<default\ze\s\+\w" matchgroup=icpDelimiter end=";" contained contains=@icpValue,icpKind,icpCompare
syn region icpForward matchgroup=icpArchWord start="\<forward\ze\s*(" matchgroup=icpDelimiter end="}" fold contained contains=icpBody,icpComment,icpDocComment
syn region icpBody matchgroup=icpDelimiter start="{" end="\ze}" contained contains=icpInner,icpComment,icpDocComment,icpNumber,icpString,icpForwardWord,icpCall
syn region icpInner matchgroup=icpDelimiter start="{" end="}" contained transparent contains=icpInner,icpComment,icpDocComment,icpNumber,icpString,icpForwardWord,icpCall
execute printf('syn match icpForwardWord /\%%(\.\)\@<!\<\%%(%s\|in\|and\|or\|not\)\>/ contained', join(s:forward_words, '\|'))
syn match icpCall "\<\w\+\ze(" contained

" A block that is longer than the screen still starts where it starts.
syn sync fromstart

hi def link icpComment Comment
hi def link icpDocComment SpecialComment
hi def link icpTodo Todo
hi def link icpString String
hi def link icpEscape SpecialChar
hi def link icpNumber Number
hi def link icpUnit Number
hi def link icpRange Number
hi def link icpConstant Boolean
hi def link icpDeclaration Keyword
hi def link icpOperation Statement
hi def link icpArchWord Statement
hi def link icpForwardWord Statement
hi def link icpPruneWord Statement
hi def link icpValueWord Operator
hi def link icpPatternWord Operator
hi def link icpConditionWord Operator
hi def link icpCompare Operator
hi def link icpOperator Operator
hi def link icpWildcard Special
hi def link icpEach Special
hi def link icpRest Special
hi def link icpRole Tag
hi def link icpTensor Identifier
hi def link icpDim Identifier
hi def link icpPruneDim Identifier
hi def link icpParameter Identifier
hi def link icpSetName Identifier
hi def link icpNamespace Include
hi def link icpKind Type
hi def link icpDtype Type
hi def link icpContainer Type
hi def link icpArchName Type
hi def link icpRecipeName Function
hi def link icpFormat Function
hi def link icpCall Function
hi def link icpField Label
hi def link icpArgument Label
hi def link icpMetric Label
hi def link icpProperty Label
hi def link icpChoice Constant
hi def link icpDevice Constant

let b:current_syntax = 'icp'
