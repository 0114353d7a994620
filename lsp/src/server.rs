//! The protocol's handlers. Thin: notifications change the state, requests are questions to a feature.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::*;
use tower_lsp::{Client, LanguageServer, LspService, LspServiceBuilder};

use crate::ask::Shared;
use crate::client::ClientInfo;
use crate::features::{self, Feature, every_feature};
use crate::{frames, keep, watch};

/// Requests that are answered at once. The library's default of 4 would stall behind a slow client.
const CONCURRENT: usize = 64;

/// Bytes between the check of the input and the library.
const PIPE: usize = 64 << 10;

/// The language server.
pub struct Server {
    shared: Arc<Shared>,
    /// The client said `shutdown`.
    stopped: Arc<AtomicBool>,
}

/// Serves one client until it says `exit` or goes away. Returns whether it said `shutdown` before.
pub async fn serve(input: impl AsyncRead + Unpin + Send + 'static, output: impl AsyncWrite) -> bool {
    let (messages, passed) = tokio::io::duplex(PIPE);
    tokio::spawn(frames::pass(input, messages));
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    let builder = LspService::build(move |client: Client| {
        let shared = Arc::new(Shared::new(client));
        tokio::spawn(keep::keep(Arc::clone(&shared)));
        Server { shared, stopped: flag }
    });
    let builder = own_methods(builder).custom_method("icpc/focus", Server::focus);
    let (service, socket) = builder.finish();
    tower_lsp::Server::new(passed, output, socket).concurrency_level(CONCURRENT).serve(service).await;
    stopped.load(Ordering::SeqCst)
}

impl Server {
    async fn ask<F: Feature>(&self, params: F::Params) -> Result<F::Answer> {
        self.shared.ask::<F>(params).await
    }

    /// The window got the focus: files may have changed meanwhile.
    async fn focus(&self) {
        self.look();
    }

    fn look(&self) {
        self.shared.lock().look();
        self.shared.changed.notify_one();
    }
}

/// The handlers of features that the protocol has.
macro_rules! standard_methods {
    ({ $($method:ident = $file:ident::$feature:ident,)* } { $($own:tt)* }) => {
        $(
            async fn $method(
                &self,
                params: <features::$file::$feature as Feature>::Params,
            ) -> Result<<features::$file::$feature as Feature>::Answer> {
                self.ask::<features::$file::$feature>(params).await
            }
        )*
    };
}

/// Those that it has not.
macro_rules! own_methods {
    ({ $($standard:tt)* } { $($method:literal = $file:ident::$feature:ident,)* }) => {
        fn own_methods(builder: LspServiceBuilder<Server>) -> LspServiceBuilder<Server> {
            builder$(.custom_method($method, Server::ask::<features::$file::$feature>))*
        }
    };
}

every_feature!(own_methods);

impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let client = ClientInfo::new(&params);
        let sync = TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(SaveOptions::default().into()),
            ..TextDocumentSyncOptions::default()
        };
        let mut capabilities = ServerCapabilities {
            position_encoding: Some(client.encoding.kind()),
            text_document_sync: Some(sync.into()),
            ..ServerCapabilities::default()
        };
        features::offer(&client, &mut capabilities);
        self.shared.lock().meet(client);
        Ok(InitializeResult {
            capabilities,
            server_info: Some(ServerInfo {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeResult::default()
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        self.shared.changed.notify_one();
        if self.shared.lock().client().watches {
            let client = self.shared.client.clone();
            // Not awaited: the client may answer after requests that are behind this one.
            tokio::spawn(async move {
                // A client that refuses has its files looked at when documents are opened and saved.
                let _ = client.register_capability(vec![watch::workspace()]).await;
            });
        }
    }

    async fn shutdown(&self) -> Result<()> {
        self.stopped.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let TextDocumentItem { uri, version, text, .. } = params.text_document;
        self.shared.lock().open(uri, version, text);
        self.shared.changed.notify_one();
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let VersionedTextDocumentIdentifier { uri, version } = params.text_document;
        if !self.shared.lock().change(&uri, version, params.content_changes) {
            eprintln!("icpc-lsp: a change of `{}`, which is not open", uri.as_str());
        }
        self.shared.changed.notify_one();
    }

    async fn did_save(&self, _: DidSaveTextDocumentParams) {
        self.look();
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.shared.lock().close(&params.text_document.uri);
        self.shared.changed.notify_one();
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        self.shared.lock().told(&params.changes);
        self.shared.changed.notify_one();
    }

    every_feature!(standard_methods);
}
