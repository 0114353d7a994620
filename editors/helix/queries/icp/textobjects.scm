(recipe body: (_) @function.inside) @function.around
(arch body: (_) @class.inside) @class.around
(forward body: (_) @function.inside) @function.around

(arm) @entry.around
(arm format: (_) @entry.inside)

(parameter) @parameter.inside
(argument) @parameter.inside
(field) @parameter.inside

[(comment) (doc_comment)] @comment.inside
[(comment) (doc_comment)]+ @comment.around
