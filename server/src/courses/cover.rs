//! Pictures of courses: checked by their first bytes, stored once under a name of their own.

use bytes::Bytes;

use crate::error::Error;
use crate::objects::Key;

/// Largest picture.
pub const MOST_BYTES: usize = 2 << 20;

/// A kind of picture that every browser of our learners shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// ITU-T T.81.
    Jpeg,
    /// W3C Portable Network Graphics.
    Png,
    /// RFC 9649.
    Webp,
}

impl Picture {
    /// Recognises a picture by its first bytes, whatever its name says.
    #[must_use]
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// End of its name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }

    /// Media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    fn from_extension(extension: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png, Self::Webp]
            .into_iter()
            .find(|picture| picture.extension() == extension)
    }
}

/// A new object key for a picture, after checking it.
///
/// # Errors
/// [`Error::TooLarge`] or [`Error::UnsupportedType`].
pub fn check(bytes: &Bytes) -> Result<Key, Error> {
    if bytes.len() > MOST_BYTES {
        return Err(Error::TooLarge {
            limit_bytes: MOST_BYTES as u64,
        });
    }
    let picture = Picture::recognise(bytes).ok_or(Error::UnsupportedType)?;
    let name = uuid::Uuid::now_v7();
    Ok(Key::new(format!("covers/{name}.{}", picture.extension()))?)
}

/// The key and type behind `/covers/{name}`; `None` when no picture can have this name.
#[must_use]
pub fn find(name: &str) -> Option<(Key, Picture)> {
    let (id, extension) = name.split_once('.')?;
    let picture = Picture::from_extension(extension)?;
    uuid::Uuid::try_parse(id).ok()?;
    Some((Key::new(format!("covers/{name}")).ok()?, picture))
}

/// Path of the picture that has this key.
#[must_use]
pub fn path(key: &str) -> String {
    format!("/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_bytes() {
        let webp = Bytes::from_static(b"RIFF\0\0\0\0WEBPVP8 ");
        let key = check(&webp).unwrap();
        let name = key.as_str().strip_prefix("covers/").unwrap();
        assert_eq!(find(name).unwrap(), (key.clone(), Picture::Webp));
        assert!(matches!(
            check(&Bytes::from_static(b"<svg onload=x>")),
            Err(Error::UnsupportedType)
        ));
        let mut large = vec![0_u8; MOST_BYTES + 1];
        large[..3].copy_from_slice(b"\xff\xd8\xff");
        assert!(matches!(check(&large.into()), Err(Error::TooLarge { .. })));
        assert!(find("../millet.db").is_none());
        assert!(find("x.jpg").is_none());
    }
}
