-- The language server in Neovim 0.7 and newer, and what it answers beyond the protocol.
--
-- `vim.g.icpc` may hold `cmd` (default { 'icpc-lsp' }), `icpc` (the compiler, default 'icpc') and `autostart` (default true).

local M = {}

-- Neovim 0.11 starts servers itself.
local native = vim.fn.has('nvim-0.11') == 1

local function option(name, default)
  local value = (vim.g.icpc or {})[name]
  if value == nil then
    return default
  end
  return value
end

local function say(text, level)
  vim.notify('icpc: ' .. text, level or vim.log.levels.INFO)
end

-- The folder of a recipe's project: the nearest one with `.git`, else the recipe's own.
local function root(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  local folder = name ~= '' and vim.fn.fnamemodify(name, ':p:h') or vim.fn.getcwd()
  local git = vim.fn.finddir('.git', vim.fn.escape(folder, ' ,;') .. ';')
  return git ~= '' and vim.fn.fnamemodify(git, ':p:h:h') or folder
end

-- What Neovim has to know of the server.
function M.server()
  return {
    name = 'icpc',
    cmd = option('cmd', { 'icpc-lsp' }),
    filetypes = { 'icp' },
    root_markers = { '.git' },
    init_options = { virtualDocuments = true, commands = { 'icpc.plan', 'icpc.run' } },
    handlers = {
      ['icpc/filesChanged'] = function()
        require('icpc.pages').refresh()
      end,
    },
  }
end

-- Clients of a buffer that are this server.
function M.clients(bufnr)
  local get = vim.lsp.get_clients
  if get then
    return get({ bufnr = bufnr, name = 'icpc' })
  end
  local found = {}
  for _, client in pairs(vim.lsp.buf_get_clients(bufnr)) do
    if client.name == 'icpc' then
      table.insert(found, client)
    end
  end
  return found
end

-- Clients that were started here, by root; Neovim before 0.8 does not look for one itself.
local started = {}

-- Starts the server for a buffer, or lets the one of its project have it.
function M.start(bufnr)
  local config = M.server()
  if vim.fn.executable(config.cmd[1]) ~= 1 then
    say(config.cmd[1] .. ' is not in PATH: recipes are coloured but not checked (:checkhealth icpc)', vim.log.levels.WARN)
    return
  end
  if native then
    vim.lsp.enable('icpc')
    return
  end
  config.root_dir = root(bufnr)
  local id = started[config.root_dir]
  if not id or not vim.lsp.get_client_by_id(id) then
    id = vim.lsp.start_client(config)
    started[config.root_dir] = id
  end
  if id then
    vim.lsp.buf_attach_client(bufnr, id)
  end
end

-- What every buffer with a recipe gets; `ftplugin/icp.vim` calls it.
function M.attach(bufnr)
  bufnr = bufnr == 0 and vim.api.nvim_get_current_buf() or bufnr
  local function command(name, run, text)
    vim.api.nvim_buf_create_user_command(bufnr, name, run, { desc = text, nargs = '?' })
  end
  command('IcpcPlan', function(given)
    require('icpc.pages').plan(bufnr, given.args)
  end, 'Shows the plan of the recipe beside it')
  command('IcpcListing', function()
    require('icpc.pages').listing(bufnr)
  end, 'Shows the names, types and shapes of the checkpoint')
  command('IcpcRun', function(given)
    M.run(bufnr, given.args)
  end, 'Runs the recipe in a terminal')
  command('IcpcRestart', M.restart, 'Restarts the language server')

  -- Tree-sitter, where its parser was installed; else the syntax file colours.
  if vim.treesitter.start then
    pcall(vim.treesitter.start, bufnr, 'icp')
  end
  if option('autostart', true) then
    M.start(bufnr)
  end
end

-- `icpc run FILE`; the arguments go to the program as they are.
function M.run(bufnr, recipe)
  local file = vim.api.nvim_buf_get_name(bufnr)
  if file == '' then
    return say('save the recipe as a file to run it', vim.log.levels.ERROR)
  end
  if vim.bo[bufnr].modified then
    vim.api.nvim_buf_call(bufnr, function()
      vim.cmd('write')
    end)
  end
  local command = { option('icpc', 'icpc'), 'run' }
  if recipe and recipe ~= '' then
    vim.list_extend(command, { '--recipe', recipe })
  end
  table.insert(command, file)
  if vim.fn.executable(command[1]) ~= 1 then
    return say(command[1] .. ' is not in PATH', vim.log.levels.ERROR)
  end
  vim.cmd('botright 15new')
  -- `termopen` is deprecated where `jobstart` can open a terminal.
  local options = { cwd = vim.fn.fnamemodify(file, ':p:h') }
  if native then
    options.term = true
    vim.fn.jobstart(command, options)
  else
    vim.fn.termopen(command, options)
  end
end

function M.restart()
  local bufnr = vim.api.nvim_get_current_buf()
  for _, client in ipairs(M.clients(bufnr)) do
    -- A method in Neovim 0.11, a plain function before.
    if native then
      client:stop()
    else
      client.stop()
    end
  end
  started = {}
  vim.defer_fn(function()
    if native then
      vim.lsp.enable('icpc', false)
    end
    M.start(bufnr)
  end, 300)
end

-- Once for the editor: pages of the server, and its look at files that changed meanwhile.
function M.load()
  local group = vim.api.nvim_create_augroup('icpc', {})
  vim.api.nvim_create_autocmd('BufReadCmd', {
    group = group,
    -- With a slash, else only the last part of a name counts.
    pattern = { 'icpc-listing:/*', 'icpc-std:/*' },
    callback = function(event)
      require('icpc.pages').read(event.buf, event.match)
    end,
  })
  -- Of code lenses; the arguments are the URI and the name of a recipe.
  local function lens(run)
    return function(command, context)
      local uri, recipe = unpack(command.arguments or {})
      run(uri and vim.uri_to_bufnr(uri) or context.bufnr, recipe or '')
    end
  end
  vim.lsp.commands['icpc.plan'] = lens(function(bufnr, recipe)
    require('icpc.pages').plan(bufnr, recipe)
  end)
  vim.lsp.commands['icpc.run'] = lens(M.run)
  vim.api.nvim_create_autocmd('FocusGained', {
    group = group,
    callback = function()
      for _, client in ipairs(M.clients(vim.api.nvim_get_current_buf())) do
        if native then
          client:notify('icpc/focus')
        else
          client.notify('icpc/focus')
        end
      end
    end,
  })
end

return M
