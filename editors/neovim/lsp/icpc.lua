-- Neovim 0.11 and newer look for servers here; `vim.lsp.enable('icpc')` and `vim.lsp.config('icpc', {...})` know it by this.
return require('icpc').server()
