-- Pages that the server writes: the plan beside a recipe, the listing of a checkpoint, files of the library.

local M = {}

-- Milliseconds without a change before the plan is asked for again.
local QUIET = 120

-- Plans on the screen: buffer of the page -> buffer and name of the recipe.
local plans = {}

-- Asks the server of `bufnr`; `done` gets what it answers, in the main loop.
local function ask(bufnr, method, params, done)
  local client = require('icpc').clients(bufnr)[1]
  if not client then
    return done(nil, 'no language server is running')
  end
  local function answer(failure, result)
    vim.schedule(function()
      done(result ~= vim.NIL and result or nil, failure and failure.message)
    end)
  end
  if vim.fn.has('nvim-0.11') == 1 then
    client:request(method, params, answer, bufnr)
  else
    client.request(method, params, answer, bufnr)
  end
end

local function write(page, text)
  if not vim.api.nvim_buf_is_valid(page) then
    return
  end
  vim.bo[page].modifiable = true
  vim.api.nvim_buf_set_lines(page, 0, -1, false, vim.split((text:gsub('\n$', '')), '\n'))
  vim.bo[page].modifiable = false
  vim.bo[page].modified = false
end

local function readonly(page)
  vim.bo[page].buftype = 'nofile'
  vim.bo[page].swapfile = false
  vim.bo[page].modifiable = false
end

local function params(bufnr, recipe)
  return {
    uri = vim.uri_from_bufnr(bufnr),
    recipe = recipe ~= '' and recipe or nil,
  }
end

local function update(page)
  local of = plans[page]
  if not of or not vim.api.nvim_buf_is_valid(page) or not vim.api.nvim_buf_is_valid(of.bufnr) then
    plans[page] = nil
    return
  end
  of.asked = of.asked + 1
  local mine = of.asked
  ask(of.bufnr, 'icpc/plan', params(of.bufnr, of.recipe), function(plan, failure)
    -- A later question is under way, or the text moved on while the server computed: that one answers.
    if mine ~= of.asked or failure and of.text then
      return
    end
    if failure then
      write(page, failure)
    elseif plan.text and plan.text ~= vim.NIL then
      of.text = plan.text
      write(page, plan.text)
    else
      local why = 'no plan\n  ' .. table.concat(plan.reasons, '\n  ')
      write(page, of.text and why .. '\n\nthe last one was\n\n' .. of.text or why)
    end
  end)
end

-- Asks again for every plan on the screen.
function M.refresh()
  for page in pairs(plans) do
    update(page)
  end
end

-- The plan of a recipe, in a window beside it, which follows the text.
function M.plan(bufnr, recipe)
  vim.cmd('vertical new')
  local page = vim.api.nvim_get_current_buf()
  vim.bo[page].bufhidden = 'wipe'
  readonly(page)
  vim.wo.wrap = false
  vim.cmd('wincmd p')
  plans[page] = { bufnr = bufnr, recipe = recipe or '', asked = 0 }
  local waiting = 0
  vim.api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI' }, {
    buffer = bufnr,
    callback = function()
      if not plans[page] then
        return true
      end
      waiting = waiting + 1
      local mine = waiting
      vim.defer_fn(function()
        if mine == waiting then
          update(page)
        end
      end, QUIET)
    end,
  })
  update(page)
end

-- The listing of a recipe's checkpoint.
function M.listing(bufnr)
  ask(bufnr, 'icpc/checkpoint', { uri = vim.uri_from_bufnr(bufnr) }, function(recipes, failure)
    local why = failure
    for _, of in ipairs(recipes or {}) do
      if of.listing and of.listing ~= vim.NIL then
        return vim.cmd('split ' .. vim.fn.fnameescape(of.listing))
      end
      why = why or of.reason ~= vim.NIL and of.reason
    end
    vim.notify('icpc: ' .. (why or 'this recipe names no checkpoint'), vim.log.levels.WARN)
  end)
end

-- Fills a buffer that is named by the URI of a listing or of a library file, as a definition opens it.
function M.read(page, uri)
  readonly(page)
  local listing = vim.startswith(uri, 'icpc-listing:')
  if not listing then
    -- Not the file type: the server does not serve its own pages.
    vim.bo[page].syntax = 'icp'
  end
  local asked
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if not asked and #require('icpc').clients(bufnr) > 0 then
      asked = bufnr
    end
  end
  if not asked then
    return write(page, 'no language server is running')
  end
  -- The cursor is set to the definition right after this returns, so the text has to be there.
  local text
  ask(asked, listing and 'icpc/listing' or 'icpc/source', { uri = uri }, function(found, failure)
    text = found and found.text or failure or 'the server has no such page'
  end)
  vim.wait(2000, function()
    return text ~= nil
  end, 10)
  write(page, text or 'the language server did not answer')
end

return M
