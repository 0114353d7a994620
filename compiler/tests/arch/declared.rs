//! Declarations of the tests: small ones of the families that the library has in full.

pub const ITERA_LITE: &str = r#"
arch itera_lite {
    dim vocab, hidden, positions, inner, state, conv, ffn, experts, expert;

    embedding.weight           : [vocab, hidden]       @embedding;
    position_embedding.weight  : [positions, hidden]   @position;
    layers[i] {
        ssm {
            norm.{weight,bias}     : [hidden]              @norm;
            in_proj.weight         : [2 * inner, hidden]   @linear;
            conv1d.weight          : [inner, 1, conv]      @conv;
            conv1d.bias            : [inner]               @conv @bias;
            ssm.A_log              : [state]               @state;
            ssm.B                  : [state, inner]        @state;
            ssm.C                  : [inner, state]        @state;
            ssm.D                  : [inner]               @state;
            ssm.delta_proj.weight  : [inner, inner]        @linear;
            ssm.delta_proj.bias    : [inner]               @bias;
            out_proj.weight        : [hidden, inner]       @linear;
        }
        either {
            moe.norm.{weight,bias} : [hidden]              @norm;
            moe.ffn.w1.weight      : [ffn, hidden]         @linear;
            moe.ffn.w2.weight      : [hidden, ffn]         @linear;
        } or {
            moe.layer.router.expert_counts : [experts]          @buffer;
            moe.layer.router.gate.weight   : [experts, hidden]  @router;
            moe.layer.experts[e].w1.weight : [expert, hidden]   @linear @expert;
            moe.layer.experts[e].w2.weight : [hidden, expert]   @linear @expert;
            moe.layer.norm.{weight,bias}   : [hidden]           @norm;
        }
    }
    norm.{weight,bias} : [hidden] @norm;
    lm_head.weight = embedding.weight;

    default top_k: int = 2 <= experts;
    recurrent state;
    residual hidden;
    sequence <= positions;
}
"#;

pub const LLAMA: &str = r#"
arch llama {
    dim vocab, hidden, heads, kv_heads, head_dim, ffn;

    model? {
        embed_tokens.weight : [vocab, hidden] @embedding;
        layers[i] {
            {input_layernorm,post_attention_layernorm}.weight : [hidden] @norm;
            self_attn {
                q_proj.weight : [heads * head_dim, hidden] @linear;
                q_proj.bias? : [heads * head_dim] @bias;
                {k_proj,v_proj} {
                    weight : [kv_heads * head_dim, hidden] @linear;
                    bias? : [kv_heads * head_dim] @bias;
                }
                o_proj.weight : [hidden, heads * head_dim] @linear;
            }
            mlp.{gate_proj,up_proj}.weight : [ffn, hidden] @linear;
            mlp.down_proj.weight : [hidden, ffn] @linear;
        }
        norm.weight : [hidden] @norm;
    }
    lm_head.weight = model.embed_tokens.weight;

    default heads: int = 32 from num_attention_heads;
    default kv_heads: int = 8 from num_key_value_heads;
    default eps: float = 1e-5 from rms_norm_eps;
    default positions: int = 4096 from max_position_embeddings;
    sequence <= positions;
}
"#;

pub const MIXTRAL: &str = r#"
arch mixtral {
    dim vocab, hidden, ffn, experts;

    model.embed_tokens.weight : [vocab, hidden] @embedding;
    model.layers[i] {
        either {
            block_sparse_moe.gate.weight : [experts, hidden] @router;
            block_sparse_moe.experts[e] {
                {w1,w3}.weight : [ffn, hidden] @linear @expert;
                w2.weight : [hidden, ffn] @linear @expert;
            }
        } or {
            mlp.gate.weight : [experts, hidden] @router;
            mlp.experts.gate_up_proj : [experts, 2 * ffn, hidden] @linear @expert;
            mlp.experts.down_proj : [experts, hidden, ffn] @linear @expert;
        }
    }
    default top_k: int = 2 <= experts from num_experts_per_tok;
}
"#;

pub const MAMBA: &str = r#"
arch mamba {
    dim vocab, hidden, inner, state, conv, dt_rank;

    backbone {
        embeddings.weight : [vocab, hidden] @embedding;
        layers[i] {
            norm.weight : [hidden] @norm;
            mixer {
                A_log : [inner, state] @state;
                D : [inner] @state;
                conv1d.weight : [inner, 1, conv] @conv;
                in_proj.weight : [2 * inner, hidden] @linear;
                x_proj.weight : [dt_rank + 2 * state, inner] @linear;
                dt_proj.weight : [inner, dt_rank] @linear;
                out_proj.weight : [hidden, inner] @linear;
            }
        }
    }
    lm_head.weight = backbone.embeddings.weight;
    recurrent state;
}
"#;
