;;; emacs.el --- A real Emacs with Eglot talks to the real server  -*- lexical-binding: t; -*-

;;; Commentary:

;; Environment: ICPC_LSP is the server, ICPC_PROJECT a copy of `project/', ICPC_ANSWERS the file for the answers, as
;; JSON, ICPC_MODE the folder with icp-mode.el.

;;; Code:

(require 'json)
(dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa/*"))
  (add-to-list 'load-path folder))
(add-to-list 'load-path (getenv "ICPC_MODE"))
(require 'eglot)
(require 'flymake)
(require 'icp-mode)

(defvar answers (list :editor "emacs"))
(defvar patience 90 "Seconds; a run takes about one, on a busy machine many.")

(defun answer (key value)
  "Keep VALUE as the answer KEY."
  (setq answers (plist-put answers key value)))

(defun wait-for (what condition)
  "Wait until CONDITION holds, which is WHAT."
  (let ((end (+ (float-time) patience)) found)
    (while (and (not (setq found (funcall condition))) (< (float-time) end))
      (accept-process-output nil 0.02))
    (unless found
      (error "Waited in vain for %s" what))
    found))

(defun diagnostics ()
  "What Flymake shows."
  (mapcar (lambda (d)
            (list :line (1- (line-number-at-pos (flymake-diagnostic-beg d)))
                  :message (flymake-diagnostic-text d)))
          (flymake-diagnostics)))

(defun server-diagnostics ()
  "Send what changed, which Emacs would do when idle; start Flymake and return what it shows."
  (eglot--signal-textDocument/didChange)
  (flymake-start)
  (diagnostics))

(defun run ()
  "All steps."
  (setq icp-server-command (list (getenv "ICPC_LSP") "--stdio")
        eglot-sync-connect patience
        eglot-autoshutdown t
        eglot-confirm-server-initiated-edits nil
        flymake-no-changes-timeout 0.05
        create-lockfiles nil
        make-backup-files nil)
  (find-file (expand-file-name "broken.icp" (getenv "ICPC_PROJECT")))
  (answer :filetype (symbol-name major-mode))
  (cl-letf (((symbol-function 'eglot--guess-contact)
             (let ((guess (symbol-function 'eglot--guess-contact)))
               (lambda (&optional _) (funcall guess nil)))))
    (eglot-ensure-now))
  (wait-for "diagnostics" #'server-diagnostics)
  (answer :diagnostics (vconcat (diagnostics)))

  ;; On `layers' of the second arm.
  (goto-char (point-min))
  (forward-line 5)
  (forward-char 10)
  (answer :hover (jsonrpc-request (eglot-current-server) :textDocument/hover
                                  (eglot--TextDocumentPositionParams)))

  ;; Behind `layers.' of the second arm, as Emacs completes.
  (goto-char (point-min))
  (forward-line 5)
  (forward-char 15)
  (let* ((capf (eglot-completion-at-point))
         (table (nth 2 capf)))
    (answer :completion (vconcat (all-completions "" table))))

  ;; The fix of the wrong pattern.
  (goto-char (point-min))
  (search-forward "embed")
  (let* ((actions (eglot-code-actions (point) (point)))
         (fix (seq-find (lambda (action) (string-prefix-p "quickfix" (or (plist-get action :kind) ""))) actions)))
    (answer :actions (vconcat (mapcar (lambda (action) (plist-get action :title)) actions)))
    (when fix
      (eglot--apply-workspace-edit (plist-get fix :edit))))
  (answer :fixed (buffer-string))
  (wait-for "the fix to take the diagnostic away" (lambda () (null (server-diagnostics))))

  (eglot-format-buffer)
  (answer :formatted (buffer-string))

  ;; Typing a mistake, and taking it back.
  (goto-char (point-max))
  (insert "recipe")
  (wait-for "a mistake to be found" #'server-diagnostics)
  (delete-region (- (point) 6) (point))
  (wait-for "a mistake to be forgotten" (lambda () (null (server-diagnostics))))

  ;; A checkpoint that changes is watched; the recipe's pattern does not match any more.
  (save-buffer)
  ;; On a busy machine Emacs may miss one notification of many: it is written again, as training writes checkpoints.
  (let ((next 0))
    (wait-for "the new checkpoint to be seen"
              (lambda ()
                (when (> (float-time) next)
                  (setq next (+ (float-time) 3))
                  (with-temp-file (expand-file-name "tiny.txt" (getenv "ICPC_PROJECT"))
                    (insert "embedding.weight  f32 [256, 64]\n")))
                (server-diagnostics))))
  (answer :rechecked (vconcat (diagnostics)))

  (eglot-shutdown (eglot-current-server)))

(defun eglot-ensure-now ()
  "Connect in this buffer, without a question."
  (apply #'eglot--connect (eglot--guess-contact)))

(let ((failure (condition-case problem
                   (progn (run) nil)
                 (error (error-message-string problem)))))
  (answer :failure failure)
  (with-temp-file (getenv "ICPC_ANSWERS")
    (insert (json-serialize answers :null-object nil :false-object :json-false)))
  (kill-emacs (if failure 1 0)))

;;; emacs.el ends here
