-- A real Neovim, with the plugin of this repository, talks to the real server. Environment: ICPC_LSP is the server,
-- ICPC_PROJECT a copy of `project/`, ICPC_ANSWERS the file for the answers, as JSON.

local answers = { editor = 'neovim' }
local WAIT = 10000

-- `-u NONE` leaves plugins out.
vim.cmd('runtime plugin/icpc.lua')
vim.g.icpc = { cmd = { vim.env.ICPC_LSP, '--stdio' } }

local function finish(failure)
  answers.failure = failure
  vim.fn.writefile({ vim.fn.json_encode(answers) }, vim.env.ICPC_ANSWERS)
  vim.cmd(failure and 'cquit 1' or 'qall!')
end

local function wait_for(what, condition)
  if not vim.wait(WAIT, condition, 5) then
    error('waited in vain for ' .. what)
  end
end

local function diagnostics()
  local out = {}
  for _, d in ipairs(vim.diagnostic.get(0)) do
    table.insert(out, {
      line = d.lnum,
      column = d.col,
      code = d.code or (d.user_data and d.user_data.lsp and d.user_data.lsp.code) or vim.NIL,
      message = d.message,
      severity = d.severity,
    })
  end
  return out
end

-- The answer of the server to a request about this buffer.
local function ask(method, params)
  local found, failure = vim.lsp.buf_request_sync(0, method, params, WAIT)
  assert(found, method .. ': ' .. tostring(failure))
  for _, answer in pairs(found) do
    assert(not answer.error, method .. ': ' .. vim.inspect(answer.error))
    return answer.result
  end
end

local function at(line, column)
  return {
    textDocument = { uri = vim.uri_from_bufnr(0) },
    position = { line = line, character = column },
  }
end

local function text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n'
end

local function run()
  vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.ICPC_PROJECT .. '/broken.icp'))
  answers.filetype = vim.bo.filetype
  wait_for('a client', function()
    return #require('icpc').clients(0) == 1
  end)

  wait_for('diagnostics', function()
    return #vim.diagnostic.get(0) > 0
  end)
  answers.diagnostics = diagnostics()

  -- On `layers` of the second arm.
  answers.hover = ask('textDocument/hover', at(5, 10)) or vim.NIL

  -- Behind `layers.` of the second arm.
  local completion = ask('textDocument/completion', at(5, 15))
  answers.completion = vim.tbl_map(function(item)
    return item.label
  end, completion and completion.items or completion or {})

  -- The fix of the wrong pattern, applied as Neovim applies it.
  local wrong = vim.diagnostic.get(0)[1]
  local range = {
    start = { line = wrong.lnum, character = wrong.col },
    ['end'] = { line = wrong.end_lnum, character = wrong.end_col },
  }
  local actions = ask('textDocument/codeAction', {
    textDocument = { uri = vim.uri_from_bufnr(0) },
    range = range,
    context = { diagnostics = { wrong.user_data.lsp.range and wrong.user_data.lsp or {
      range = range,
      message = wrong.message,
      code = wrong.user_data.lsp.code,
      data = wrong.user_data.lsp.data,
      severity = wrong.severity,
    } } },
  }) or {}
  answers.actions = vim.tbl_map(function(action)
    return action.title
  end, actions)
  for _, action in ipairs(actions) do
    if action.edit and (action.kind or ''):match('^quickfix') then
      vim.lsp.util.apply_workspace_edit(action.edit, 'utf-16')
      break
    end
  end
  answers.fixed = text()
  wait_for('the fix to take the diagnostic away', function()
    return #vim.diagnostic.get(0) == 0
  end)

  -- `vim.lsp.buf.formatting_sync` became `format`.
  local format = vim.lsp.buf.format or function()
    vim.lsp.buf.formatting_sync(nil, WAIT)
  end
  format()
  answers.formatted = text()

  -- Typing a mistake, and taking it back.
  vim.api.nvim_buf_set_lines(0, -1, -1, false, { 'recipe' })
  wait_for('a mistake to be found', function()
    return #vim.diagnostic.get(0) > 0
  end)
  vim.api.nvim_buf_set_lines(0, -2, -1, false, {})
  wait_for('a mistake to be forgotten', function()
    return #vim.diagnostic.get(0) == 0
  end)

  -- The definition of a tensor's name is a line of the listing, which the plugin fetches.
  local recipe = vim.api.nvim_get_current_buf()
  local definition = ask('textDocument/definition', at(5, 10)) or {}
  local location = vim.tbl_islist(definition) and definition[1] or definition
  answers.definition = location and (location.uri or location.targetUri) or vim.NIL
  if type(answers.definition) == 'string' and answers.definition:match('^icpc%-listing') then
    vim.lsp.util.jump_to_location(location, 'utf-16')
    answers.listing = text()
    vim.cmd('buffer ' .. recipe)
  end

  require('icpc.pages').plan(recipe, '')
  wait_for('the plan', function()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      local page = vim.api.nvim_win_get_buf(window)
      local first = vim.api.nvim_buf_get_lines(page, 0, 1, false)[1] or ''
      if first:match('^plan `small`') then
        answers.plan = table.concat(vim.api.nvim_buf_get_lines(page, 0, -1, false), '\n')
        return true
      end
    end
  end)

  -- A client that goes away politely.
  local client = require('icpc').clients(recipe)[1]
  client.stop()
  wait_for('the server to stop', function()
    return client.is_stopped()
  end)
end

local ok, failure = xpcall(run, debug.traceback)
finish(not ok and failure or nil)
