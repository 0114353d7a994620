(recipe "recipe" @context name: (identifier) @name) @item
(arch "arch" @context name: (identifier) @name) @item
(const "const" @context name: (identifier) @name) @item
(assign "assign" @name) @item
(prune "prune" @context pattern: (pattern) @name) @item
(block name: (arch_path) @name) @item
(forward "forward" @name) @item
