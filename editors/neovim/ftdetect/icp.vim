autocmd BufRead,BufNewFile *.icp setfiletype icp
