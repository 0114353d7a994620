;;; icp-mode.el --- Major mode for icpc recipes  -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "27.1"))
;; Keywords: languages
;; URL: https://example.invalid/icpc
;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Colours, indentation and an index for recipes of the model compression compiler icpc (`.icp'), and its language
;; server through Eglot.  `M-x eglot' starts the server; to have it in every recipe:
;;
;;   (add-hook 'icp-mode-hook #'eglot-ensure)

;;; Code:

(require 'rx)
(require 'seq)

(declare-function eglot-current-server "eglot" ())
(declare-function jsonrpc-async-request "jsonrpc" (connection method params &rest args))
(defvar eglot-server-programs)

(defgroup icp nil
  "Recipes of the model compression compiler icpc."
  :group 'languages
  :prefix "icp-")

(defcustom icp-indent-offset 4
  "Columns of one level."
  :type 'integer
  :safe #'integerp)

(defcustom icp-server-command '("icpc-lsp")
  "The language server with its arguments."
  :type '(repeat string))

(defcustom icp-program "icpc"
  "The compiler, for `icp-run'."
  :type 'string)

;;; Words, from the compiler's tables

;; words: declarations
(defconst icp-declarations
  '("use" "const" "recipe" "arch" "derive" "extends" "for")
  "The declarations of icp, from the compiler's table.")
;; words: end
;; words: operations
(defconst icp-operations
  '("checkpoint" "target" "casts" "set" "prune" "assign" "calibrate" "evaluate" "tune" "require"
    "emit")
  "The operations of icp, from the compiler's table.")
;; words: end
;; words: pattern-words
(defconst icp-pattern-words
  '("where" "except" "and" "or" "not")
  "The pattern words of icp, from the compiler's table.")
;; words: end
;; words: value-words
(defconst icp-value-words
  '("of" "as" "in" "from")
  "The value words of icp, from the compiler's table.")
;; words: end
;; words: constants
(defconst icp-constants
  '("true" "false")
  "The constants of icp, from the compiler's table.")
;; words: end
;; words: arch-words
(defconst icp-arch-words
  '("dim" "recurrent" "residual" "default" "either" "forward")
  "The arch words of icp, from the compiler's table.")
;; words: end
;; words: forward-words
(defconst icp-forward-words
  '("let" "for" "match" "if" "else")
  "The forward words of icp, from the compiler's table.")
;; words: end
;; words: formats
(defconst icp-formats
  '("keep" "drop" "fp32" "fp16" "bf16" "fp8_e4m3" "fp8_e5m2" "int8" "int4" "nf4" "fp4")
  "The formats of icp, from the compiler's table.")
;; words: end
;; words: arguments
(defconst icp-arguments
  '("saturate" "per" "axis" "symmetric" "clip" "scale" "activations" "pack" "block" "double")
  "The arguments of icp, from the compiler's table.")
;; words: end
;; words: fields
(defconst icp-fields
  '("data" "tokenizer" "samples" "batch" "max_length" "seed" "statistics" "window" "stride" "shift"
    "steps" "lr" "accumulate" "warmup" "weight_decay" "clip_norm" "distill" "labels" "temperature"
    "freeze" "evaluate_every" "checkpoint_every" "keep" "sparsity" "by" "shards")
  "The fields of icp, from the compiler's table.")
;; words: end
;; words: choices
(defconst icp-choices
  '("tensor" "channel" "block" "minmax" "percentile" "mse" "dynamic" "static" "absmax" "low" "high"
    "magnitude" "l1" "l2" "baseline")
  "The choices of icp, from the compiler's table.")
;; words: end
;; words: properties
(defconst icp-properties
  '("rank" "params" "bytes" "dtype" "dim" "layer" "role")
  "The properties of icp, from the compiler's table.")
;; words: end
;; words: metrics
(defconst icp-metrics
  '("size" "compression" "memory" "sqnr" "clipped" "perplexity")
  "The metrics of icp, from the compiler's table.")
;; words: end
;; words: containers
(defconst icp-containers
  '("safetensors" "bitsandbytes")
  "The containers of icp, from the compiler's table.")
;; words: end
;; words: targets
(defconst icp-targets
  '("cpu" "cuda" "sm_80" "a30" "a40" "a100" "h100" "h200" "l4" "l40s" "v100" "t4" "b200")
  "The targets of icp, from the compiler's table.")
;; words: end
;; words: kinds
(defconst icp-kinds
  '("int" "float" "percent" "ratio" "size" "string" "bool" "format")
  "The kinds of icp, from the compiler's table.")
;; words: end
;; words: dtypes
(defconst icp-dtypes
  '("bool" "u8" "i8" "f8_e4m3" "f8_e5m2" "u16" "i16" "f16" "bf16" "u32" "i32" "f32" "u64" "i64"
    "f64" "c64")
  "The dtypes of icp, from the compiler's table.")
;; words: end
;; words: units
(defconst icp-units
  '("B" "kB" "MB" "GB" "TB" "KiB" "MiB" "GiB" "TiB")
  "The units of icp, from the compiler's table.")
;; words: end

;;; Syntax and colours

(defvar icp-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 12" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?\\ "\\" table)
    (modify-syntax-entry ?_ "_" table)
    (modify-syntax-entry ?- "_" table)
    (dolist (sign '(?@ ?* ?? ?| ?= ?< ?> ?! ?% ?+ ?. ?: ?\; ?,))
      (modify-syntax-entry sign "." table))
    table)
  "Syntax of recipes: `//' comments, strings in double quotes.")

(defun icp--words (regexp)
  "A matcher for REGEXP that goes on right behind its first group.
What must follow a word may be the next word itself."
  (lambda (limit)
    (when (re-search-forward regexp limit t)
      (goto-char (match-end 1))
      t)))

;; Keywords are contextual: a segment of a tensor's name may be called `use' or `in'.  A word counts where something of the
;; language stands before or behind it.
(defvar icp-font-lock-keywords
  (let ((item (rx (or line-start (any "{;}")) (* space)))
        (name "[A-Za-z_][A-Za-z0-9_]*")
        ;; What is no rest of a tensor's name and no arrow.
        (on "[ \t]*\\(?:[\"{(@*A-Za-z0-9]\\|$\\)"))
    `((,(concat item (regexp-opt icp-declarations 'symbols) "[ \t]+[\"A-Za-z_]") (1 'font-lock-keyword-face))
      (,(concat "\\_<\\(extends\\|for\\)[ \t]+\\(?:" name "::\\)*\\(" name "\\)")
       (1 'font-lock-keyword-face) (2 'font-lock-type-face))
      (,(concat "\\_<recipe[ \t]+\\(" name "\\)") (1 'font-lock-function-name-face))
      (,(concat "\\_<arch[ \t]+\\(" name "\\)") (1 'font-lock-type-face))
      (,(concat "\\_<const[ \t]+\\(" name "\\)") (1 'font-lock-variable-name-face))
      (,(concat item (regexp-opt icp-operations 'symbols) on) (1 'font-lock-keyword-face))
      (,(concat "\\_<prune[ \t]+\\(dim\\)[ \t]+\\(" name "\\)[ \t]+\\(in\\)\\_>")
       (1 'font-lock-keyword-face) (2 'font-lock-variable-name-face) (3 'font-lock-keyword-face))
      (,(concat "\\_<target[ \t]+" (regexp-opt icp-targets 'symbols) "\\(:[0-9]+\\)?")
       (1 'font-lock-constant-face) (2 'font-lock-constant-face nil t))
      (,(concat "\\_<set[ \t]+\\(" name "\\)[ \t]*=") (1 'font-lock-variable-name-face))
      (,(icp--words (concat "[ \t()]" (regexp-opt icp-pattern-words 'symbols) on)) (1 'font-lock-keyword-face))
      (,(concat "[ \t]" (regexp-opt icp-value-words 'symbols) "[ \t]") (1 'font-lock-keyword-face))
      (,(concat ":[ \t]*" (regexp-opt icp-kinds 'symbols)) (1 'font-lock-type-face))
      (,(concat "[=!]=[ \t]*" (regexp-opt icp-dtypes 'symbols)) (1 'font-lock-type-face))
      (,(concat "\\_<as[ \t]+" (regexp-opt icp-containers 'symbols)) (1 'font-lock-type-face))
      (,(concat "\\(?:=>?\\|[:(,]\\)[ \t]*" (regexp-opt icp-formats 'symbols) "[ \t]*\\(?:[(,;)}]\\|//\\|$\\)")
       (1 'font-lock-function-name-face))
      (,(concat "\\(?::\\|\\_<of\\)[ \t]*" (regexp-opt icp-choices 'symbols)) (1 'font-lock-constant-face))
      (,(concat (regexp-opt (append icp-arguments icp-fields) 'symbols) "[ \t]*:") (1 'font-lock-variable-name-face))
      (,(concat (regexp-opt (append icp-metrics icp-properties) 'symbols) "[ \t]*\\(?:([0-9]+)[ \t]*\\)?[<>=!]=?[^>]")
       (1 'font-lock-builtin-face))
      (,(regexp-opt icp-constants 'symbols) . 'font-lock-constant-face)
      (,(concat item (regexp-opt icp-arch-words 'symbols) "[ \t]*[({A-Za-z]") (1 'font-lock-keyword-face))
      ("}[ \t]*\\(or\\)[ \t]*{" (1 'font-lock-keyword-face))
      (,(concat "\\(?:^\\|[{;}=>][ \t]*\\)[ \t]*" (regexp-opt icp-forward-words 'symbols) "[ \t]+[({A-Za-z]")
       (1 'font-lock-keyword-face))
      (,(concat "@" name) . 'font-lock-preprocessor-face)
      ("\\_<[-+]?[0-9][0-9_]*\\(?:\\.[0-9]+\\)?\\(?:e[-+]?[0-9]+\\)?\\(?:[ \t]*%\\|x\\_>\\)?" . 'font-lock-constant-face)
      (,(concat "[0-9][ \t]*\\(" (regexp-opt icp-units) "\\)\\_>") (1 'font-lock-constant-face))
      ("\\*\\*?" . 'font-lock-builtin-face)))
  "Colours of `icp-mode'.")

;;; Indentation

(defun icp-indent-line ()
  "Indent the line by the bracket that is open where it begins."
  (interactive)
  (let ((target (save-excursion
                  (back-to-indentation)
                  (let* ((state (syntax-ppss))
                         (open (nth 1 state))
                         (closes (looking-at-p "[])}]")))
                    (cond
                     ((nth 3 state) nil)
                     ((null open) 0)
                     (t (goto-char open)
                        (+ (current-indentation) (if closes 0 icp-indent-offset))))))))
    (if (null target)
        'noindent
      (if (<= (current-column) (current-indentation))
          (indent-line-to target)
        (save-excursion (indent-line-to target))))))

;;; Commands

(defun icp-run ()
  "Save the recipe and run it with the compiler."
  (interactive)
  (unless buffer-file-name
    (user-error "Save the recipe as a file to run it"))
  (save-buffer)
  (compile (mapconcat #'shell-quote-argument (list icp-program "run" buffer-file-name) " ")))

(defun icp--uri ()
  "URI of this buffer's file."
  (unless buffer-file-name
    (user-error "Save the recipe as a file first"))
  (concat "file://" (mapconcat #'url-hexify-string (split-string buffer-file-name "/") "/")))

(defun icp--ask (method params show)
  "Ask the server for METHOD with PARAMS; SHOW gets the answer."
  (let ((server (and (fboundp 'eglot-current-server) (eglot-current-server))))
    (unless server
      (user-error "No language server is running: M-x eglot starts it"))
    (jsonrpc-async-request
     server method params
     :success-fn show
     :error-fn (lambda (failure) (message "icpc: %s" (plist-get failure :message))))))

(defun icp--page (name text)
  "Show TEXT in a read-only buffer NAME beside this one."
  (let ((page (get-buffer-create name)))
    (with-current-buffer page
      (special-mode)
      (setq truncate-lines t)
      (let ((inhibit-read-only t)
            (line (line-number-at-pos)))
        (erase-buffer)
        (insert text)
        (goto-char (point-min))
        (forward-line (1- line))))
    (display-buffer page)))

(defun icp-plan ()
  "Show the plan of the recipe beside it."
  (interactive)
  (let ((name (format "*plan of %s*" (buffer-name))))
    (icp--ask :icpc/plan (list :uri (icp--uri))
              (lambda (plan)
                (icp--page name (or (plist-get plan :text)
                                    (mapconcat (lambda (why) (concat "no plan: " why))
                                               (plist-get plan :reasons) "\n")))))))

(defun icp-listing ()
  "Show the names, types and shapes that the recipe is checked against."
  (interactive)
  (let ((name (format "*checkpoint of %s*" (buffer-name))))
    (icp--ask :icpc/checkpoint (list :uri (icp--uri))
              (lambda (recipes)
                (let ((found (seq-find (lambda (one) (plist-get one :listing)) recipes)))
                  (if found
                      (icp--ask :icpc/listing (list :uri (plist-get found :listing))
                                (lambda (listing) (icp--page name (plist-get listing :text))))
                    (message "icpc: %s" (or (seq-some (lambda (one) (plist-get one :reason)) recipes)
                                            "this recipe names no checkpoint"))))))))

;;; The mode

(defvar icp-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-c") #'icp-run)
    (define-key map (kbd "C-c C-p") #'icp-plan)
    (define-key map (kbd "C-c C-l") #'icp-listing)
    map)
  "Keys of `icp-mode'.")

;;;###autoload
(define-derived-mode icp-mode prog-mode "icp"
  "Major mode for recipes of the model compression compiler icpc."
  (setq-local comment-start "// ")
  (setq-local comment-end "")
  (setq-local comment-start-skip "//[/!]?[ \t]*")
  (setq-local indent-line-function #'icp-indent-line)
  (setq-local indent-tabs-mode nil)
  (setq-local electric-indent-chars (append "{}()[]" electric-indent-chars))
  (setq-local imenu-generic-expression
              '(("Recipes" "^[ \t]*recipe[ \t]+\\([A-Za-z0-9_]+\\)" 1)
                ("Architectures" "^[ \t]*arch[ \t]+\\([A-Za-z0-9_]+\\)" 1)
                ("Consts" "^[ \t]*const[ \t]+\\([A-Za-z0-9_]+\\)" 1)))
  (setq-local font-lock-defaults '(icp-font-lock-keywords)))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.icp\\'" . icp-mode))

(defun icp--server (&rest _)
  "The language server, for Eglot."
  icp-server-command)

;;;###autoload
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs '(icp-mode . icp--server)))

(provide 'icp-mode)
;;; icp-mode.el ends here
