; Written from editors/tree-sitter-icp/queries/injections.scm; change that file.

([(comment) (doc_comment)] @injection.content
  (#set! injection.language "comment"))
