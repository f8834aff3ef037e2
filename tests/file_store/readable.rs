//! Each saved entry can be read again. An entry that could not be is rejected, and the old entry stays.

use serde_json::{Value, json};
use tower_oauth2::store::{Entry, FileStore, TokenStore};

use crate::support::{Folder, key, put, small};

fn with(member: Value, generation: u64) -> Entry {
    Entry::new(serde_json::from_value(json!({"access_token": "a", "big": member})).unwrap(), generation)
}

/// Saves an entry over another one, checks that one of them is stored afterwards, and returns whether it is the new one.
async fn is_saved(store: &FileStore, entry: &Entry) -> bool {
    store.clear(&key(), u64::MAX).await.unwrap();
    put(store, &small(1)).await;
    let mut lock = store.lock(&key()).await.unwrap();
    let saved = store.save(&key(), entry, &mut lock).await;
    let expected = if saved.is_ok() { entry.clone() } else { small(1) };
    assert!(store.load(&key()).await.unwrap() == Some(expected), "{saved:?}");
    if let Err(error) = &saved {
        let text = error.to_string();
        assert!(text.contains("cannot be stored") && text.contains("nothing was changed"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    store.clear(&key(), u64::MAX).await.unwrap();
    assert_eq!(store.load(&key()).await.unwrap(), None);
    saved.is_ok()
}

#[tokio::test]
async fn deep_members() {
    let folder = Folder::new("deep");
    let store = FileStore::new(folder.path().join("token.json"));
    let nested = |depth| (0..depth).fold(json!("secret"), |inner, _| json!([inner]));
    let mut results = Vec::new();
    for depth in [0, 1, 60, 120, 123, 124, 125, 126, 127, 128, 129, 500] {
        results.push(is_saved(&store, &with(nested(depth), 2)).await);
    }
    assert!(results[..4].iter().all(|saved| *saved), "{results:?}");
    assert!(!results[results.len() - 1], "{results:?}");
}

#[tokio::test]
async fn large_members() {
    let folder = Folder::new("large");
    let store = FileStore::new(folder.path().join("token.json"));
    let mebibyte = 1024 * 1024;
    // The default maximum size of a token response.
    assert!(is_saved(&store, &with("x".repeat(mebibyte).into(), 2)).await);
    assert!(is_saved(&store, &with(vec![0; mebibyte / 2].into(), 2)).await);
    assert!(!is_saved(&store, &with("x".repeat(16 * mebibyte).into(), 2)).await);
    assert!(!is_saved(&store, &with(vec![0; 4 * mebibyte].into(), 2)).await);
    assert_eq!(folder.names(), ["token.json.lock", "token.json.write-lock"]);
}
