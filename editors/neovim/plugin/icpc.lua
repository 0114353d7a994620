if vim.g.loaded_icpc then
  return
end
vim.g.loaded_icpc = true
require('icpc').load()
