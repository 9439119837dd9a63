//! Tokens that somebody else signs.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use tasker_wasm_tests::TestDatabase;

use super::shared::{host, linear};

/// Somebody who signs tokens.
struct Signer {
    algorithm: Algorithm,
    name: &'static str,
    key: EncodingKey,
    /// The public key, as a JWK.
    public: Value,
}

impl Signer {
    fn rsa(name: &'static str) -> Self {
        let key = rsa::RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
        let part = |number: &rsa::BigUint| BASE64_URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let public =
            json!({"kty": "RSA", "kid": name, "alg": "RS256", "use": "sig", "n": part(key.n()), "e": part(key.e())});
        let pem = key.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).unwrap();
        Self { algorithm: Algorithm::RS256, name, key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), public }
    }

    fn ec(name: &'static str) -> Self {
        let key = p256::SecretKey::random(&mut OsRng);
        let point = key.public_key().to_encoded_point(false);
        let part = |bytes: Option<&p256::FieldBytes>| BASE64_URL_SAFE_NO_PAD.encode(bytes.unwrap());
        let public = json!({"kty": "EC", "kid": name, "alg": "ES256", "crv": "P-256", "x": part(point.x()), "y": part(point.y())});
        let pem = key.to_pkcs8_pem(p256::pkcs8::LineEnding::LF).unwrap();
        Self { algorithm: Algorithm::ES256, name, key: EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(), public }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.name.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }
}

/// Writes a set of public keys.
fn publish(file: &Path, signers: &[&Signer]) {
    let keys: Vec<&Value> = signers.iter().map(|signer| &signer.public).collect();
    std::fs::write(file, json!({"keys": keys}).to_string()).unwrap();
}

fn claims(change: Value) -> Value {
    let mut claims = json!({
        "sub": "ada", "exp": Utc::now().timestamp() + 600, "iss": "https://id.example", "aud": "tasker",
        "permissions": ["tasks:*", "steps:*"]
    });
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    claims
}

#[tokio::test]
async fn a_token_of_a_known_signer_opens_what_it_says_and_any_other_is_refused_with_a_reason() {
    let database = TestDatabase::create().await;
    let keys = tempfile::NamedTempFile::new().unwrap();
    let (rs, es, stranger) = (Signer::rsa("one"), Signer::ec("two"), Signer::ec("two"));
    publish(keys.path(), &[&rs, &es]);
    let config = format!(
        "[orchestration.web.auth]\nenabled = true\njwks_file = {:?}\njwt_issuer = \"https://id.example\"\njwt_audience = \"tasker\"\n",
        keys.path()
    );
    let (_host, api) = host(&database, &config).await;
    let with = |token: &str| api.clone().with("authorization", &format!("Bearer {token}"));

    for signer in [&rs, &es] {
        let api = with(&signer.sign(&claims(json!({}))));
        api.post("/v1/tasks", &linear(json!({"even_number": 2, "by": signer.name}))).await.ok();
        assert_eq!(api.get("/v1/templates").await.status.as_u16(), 403);
    }
    // Tasker's own tokens have an empty list of namespaces, which is no bound.
    let unbound = with(&rs.sign(&claims(json!({"worker_namespaces": []})))).get("/v1/tasks").await.ok();
    assert_eq!(unbound["pagination"]["total_count"], 2);
    for bound in [json!({"namespaces": ["probe"]}), json!({"worker_namespaces": ["probe"]}), json!({"namespaces": []})]
    {
        let listed = with(&rs.sign(&claims(bound))).get("/v1/tasks").await.ok();
        assert_eq!(listed["pagination"]["total_count"], 0);
    }

    let unsigned = format!(
        "{}.{}.",
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#),
        BASE64_URL_SAFE_NO_PAD.encode(claims(json!({})).to_string())
    );
    let shared = encode(&Header::new(Algorithm::HS256), &claims(json!({})), &EncodingKey::from_secret(b"x")).unwrap();
    let past = Utc::now().timestamp() - 600;
    for (token, said) in [
        ("no-token".to_owned(), "this is no JWT"),
        (unsigned, "this is no JWT"),
        (shared, "RS256 or ES256"),
        (stranger.sign(&claims(json!({}))), "signature is wrong"),
        (Signer::ec("three").sign(&claims(json!({}))), "not in the configured JWK set"),
        (rs.sign(&claims(json!({"exp": past}))), "has expired"),
        (rs.sign(&claims(json!({"nbf": Utc::now().timestamp() + 600}))), "`nbf`"),
        (rs.sign(&claims(json!({"iss": "https://elsewhere.example"}))), "`iss`"),
        (rs.sign(&claims(json!({"aud": "another"}))), "`aud`"),
        (rs.sign(&claims(json!({"permissions": ["everything"]}))), "no permission \"everything\""),
    ] {
        let answer = with(&token).get("/v1/tasks").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "UNAUTHORIZED"), "{said}: {answer:?}");
        assert!(answer.message().contains(said), "{said}: {answer:?}");
    }
    database.drop().await;
}

#[tokio::test]
async fn keys_that_are_changed_behind_a_url_are_read_again_when_a_token_names_a_new_one() {
    let database = TestDatabase::create().await;
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let set = |signer: &Signer| json!({"keys": [signer.public]}).to_string();
    let server = tasker_wasm_tests::PlainServer::start().await;
    server.serve("/keys", &set(&old));
    let config = format!("[orchestration.web.auth]\nenabled = true\njwks_url = \"{}\"\n", server.url("/keys"));
    let (_host, api) = host(&database, &config).await;
    let status = async |signer: &Signer| {
        let token = format!("Bearer {}", signer.sign(&claims(json!({}))));
        api.clone().with("authorization", &token).get("/v1/tasks").await.status.as_u16()
    };
    assert_eq!(status(&old).await, 200);
    server.serve("/keys", &set(&new));
    assert_eq!(status(&new).await, 200);
    assert_eq!(status(&old).await, 401);
    database.drop().await;
}
