//! Nothing that a client signs with, or that proves its identity, is printed (A13).

use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::grant::{JwtBearer, TokenExchange, token_type};
use tower_oauth2::jwt::{Algorithm, Claims, Draft, Key, KeyFile, signer_fn};
use tower_oauth2::source::{File, source_fn};

use crate::support::{ISSUER, TOKEN_URL, pem};

/// The private number of `p256.pkcs8.pem` in the forms that a debugger would print.
fn private_parts() -> Vec<String> {
    let pem = pem("p256.pkcs8.pem");
    pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect()
}

#[tokio::test]
async fn no_type_prints_a_key_or_a_secret() {
    const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-";
    let key = Key::from_pem(pem("p256.pkcs8.pem")).unwrap().id("k");
    let claims = Claims::signed_by(key.clone()).issuer("i").audience(ISSUER).claim("password", SECRET);
    let signer = signer_fn(async |draft: Draft| {
        let drafted = format!("{draft:?}");
        let input = draft.header(Algorithm::Es256, Some("k"))?;
        let printed = format!("{drafted} {input:?}");
        assert!(!printed.contains("hunter2") && !printed.contains(std::str::from_utf8(input.bytes()).unwrap()));
        Ok(input.signed(&[b's'; 64]))
    });
    let signed = Claims::signed_by(signer.clone()).claim("password", SECRET).sign().await.unwrap();
    let source = source_fn(async |_| Ok(SECRET.to_owned()));
    let texts = [
        format!("{key:?} {key:#?}"),
        format!("{claims:?} {claims:#?}"),
        format!("{signer:?} {source:?}"),
        format!("{:?}", KeyFile::new("/etc/key.pem").id("k")),
        format!("{:?}", File::new("/etc/secret")),
        format!("{:?}", Client::private_key_jwt("id", key.clone())),
        format!("{:?}", Client::secret_jwt("id", SECRET)),
        format!("{:?}", Client::basic_from("id", source.clone())),
        format!("{:?}", TokenEndpoint::new(TOKEN_URL, Client::secret_jwt("id", SECRET).audience(ISSUER)).unwrap()),
        format!("{:#?}", JwtBearer::new(TOKEN_URL, Client::none(), claims).unwrap()),
        format!("{:#?}", TokenExchange::new(TOKEN_URL, Client::none(), token_type::JWT, source).unwrap()),
    ];
    for text in texts {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains(&signed), "{text}");
        assert!(!private_parts().iter().any(|part| text.contains(part.as_str())), "{text}");
    }
}
