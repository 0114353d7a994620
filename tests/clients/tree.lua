-- The Tree-sitter parser and queries in Neovim itself. Environment: ICPC_FILES (one path a line), ICPC_ANSWERS.

local answers = { wrong = {}, queries = {} }
for _, file in ipairs(vim.split(vim.env.ICPC_FILES, '\n')) do
  local text = table.concat(vim.fn.readfile(file), '\n')
  if vim.treesitter.get_string_parser(text, 'icp'):parse()[1]:root():has_error() then
    table.insert(answers.wrong, file)
  end
end
local get = vim.treesitter.query.get or vim.treesitter.query.get_query
for _, name in ipairs({ 'highlights', 'folds', 'indents', 'injections', 'locals' }) do
  local ok, query = pcall(get, 'icp', name)
  answers.queries[name] = ok and query ~= nil or tostring(query)
end
vim.fn.writefile({ vim.fn.json_encode(answers) }, vim.env.ICPC_ANSWERS)
vim.cmd('qall!')
