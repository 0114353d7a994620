-- What `syntax/icp.vim` makes of a file: each run of characters of one group, as `text=group`. Environment: ICPC_ANSWERS.

local out = {}
for row = 1, vim.fn.line('$') do
  local line, parts, from = vim.fn.getline(row), {}, 1
  local function group(column)
    return vim.fn.synIDattr(vim.fn.synID(row, column, 1), 'name')
  end
  for column = 1, #line do
    if column == #line or group(column + 1) ~= group(column) then
      local text = vim.trim(line:sub(from, column))
      if text:match('[%w@*_]') then
        table.insert(parts, text .. '=' .. (group(column):gsub('^icp', '')))
      end
      from = column + 1
    end
  end
  table.insert(out, table.concat(parts, ' '))
end
vim.fn.writefile({ vim.fn.json_encode({ colours = table.concat(out, '\n') }) }, vim.env.ICPC_ANSWERS)
vim.cmd('qall!')
