" One level for each line that leaves a bracket open; comments and texts do not count.
if exists('b:did_indent')
  finish
endif
let b:did_indent = 1

setlocal indentexpr=IcpIndent(v:lnum)
setlocal indentkeys=0},0),0],o,O,!^F
let b:undo_indent = 'setlocal indentexpr< indentkeys<'

if exists('*IcpIndent')
  finish
endif

" The line without texts and comments.
function! s:Code(lnum) abort
  let line = substitute(getline(a:lnum), '"\%(\\.\|[^"\\]\)*"', '""', 'g')
  return substitute(line, '//.*$', '', '')
endfunction

function! IcpIndent(lnum) abort
  let above = prevnonblank(a:lnum - 1)
  if above == 0
    return 0
  endif
  let code = s:Code(above)
  let level = 0
  " A line that begins by closing already stands where it closes to.
  for sign in split(substitute(code, '^\s*[])}]\+', '', ''), '\zs')
    if sign =~# '[[({]'
      let level += 1
    elseif sign =~# '[])}]'
      let level -= 1
    endif
  endfor
  let indent = indent(above) + (level > 0 ? shiftwidth() : level < 0 ? -shiftwidth() : 0)
  if getline(a:lnum) =~# '^\s*[])}]'
    let indent -= shiftwidth()
  endif
  return max([indent, 0])
endfunction
