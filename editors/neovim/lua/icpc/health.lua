-- :checkhealth icpc

local M = {}

local health = vim.health or require('health')
local ok = health.ok or health.report_ok
local warn = health.warn or health.report_warn
local fail = health.error or health.report_error
local start = health.start or health.report_start

local function program(name, purpose, required)
  if vim.fn.executable(name) ~= 1 then
    local advice = { 'install icpc, or name the program in vim.g.icpc' }
    return (required and fail or warn)(('`%s` is not in PATH: %s'):format(name, purpose), advice)
  end
  local version = vim.fn.systemlist({ name, '--version' })[1] or ''
  ok(('%s (%s)'):format(version, vim.fn.exepath(name)))
end

function M.check()
  start('icpc')
  if vim.fn.has('nvim-0.7') ~= 1 then
    fail('Neovim 0.7 or newer is needed')
  end
  local given = vim.g.icpc or {}
  program((given.cmd or { 'icpc-lsp' })[1], 'recipes are coloured but not checked', true)
  program(given.icpc or 'icpc', ':IcpcRun has nothing to run', false)
  if #vim.api.nvim_get_runtime_file('parser/icp.so', false) == 0 then
    warn('no Tree-sitter parser: syntax/icp.vim colours', { 'the README of editors/neovim has the command' })
  elseif not vim.treesitter.start then
    ok('Tree-sitter parser (Neovim 0.8 and newer colour with it; here syntax/icp.vim does)')
  else
    ok('Tree-sitter parser')
  end
end

return M
