//! Objects in any S3 service, through the AWS SDK.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::tls;
use bytes::Bytes;

use super::{Key, ObjectsError};

/// Bytes of a part of a large file, and what storing one holds in memory.
const PART_BYTES: usize = 8 << 20;
/// Longest wait for one attempt of one call, so that a dead service is noticed.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A bucket of an S3 service.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    bucket: String,
}

impl S3 {
    /// Reads `s3://bucket?endpoint=…&region=…`; the keys come from the standard AWS variables.
    ///
    /// # Errors
    /// [`ObjectsError::Setting`] when the text is malformed, names an unknown option, or the keys
    /// are missing from the environment.
    pub fn open(setting: &str) -> Result<Self, ObjectsError> {
        let refuse = |reason: &str| ObjectsError::Setting(reason.to_owned());
        let url = url::Url::parse(setting).map_err(|_| refuse("the S3 address is malformed"))?;
        let bucket = url
            .host_str()
            .filter(|bucket| !bucket.is_empty())
            .ok_or_else(|| refuse("the S3 address names no bucket"))?;
        let (mut endpoint, mut region) = (None, "us-east-1".to_owned());
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "endpoint" => endpoint = Some(value.into_owned()),
                "region" => region = value.into_owned(),
                _ => {
                    return Err(refuse(
                        "the S3 address has an option other than endpoint, region",
                    ));
                }
            }
        }
        let from_environment = |name: &str| {
            std::env::var(name).map_err(|_| ObjectsError::Setting(format!("{name} is not set")))
        };
        let credentials = Credentials::new(
            from_environment("AWS_ACCESS_KEY_ID")?,
            from_environment("AWS_SECRET_ACCESS_KEY")?,
            std::env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        let https = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(https)
            .credentials_provider(credentials)
            .region(Region::new(region))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            )
            // Services other than AWS rarely resolve a bucket as a host name.
            .force_path_style(true);
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            bucket: bucket.to_owned(),
        })
    }

    pub(super) async fn check(&self) -> Result<(), ObjectsError> {
        self.client
            .head_bucket()
            .bucket(&self.bucket)
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), ObjectsError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// In parts that fit into memory, each signed whole: not every service takes a body that is
    /// signed while it streams.
    pub(super) async fn put_file(&self, key: &Key, path: &Path) -> Result<(), ObjectsError> {
        let mut file = tokio::fs::File::open(path).await?;
        let first = read_part(&mut file).await?;
        if first.len() < PART_BYTES {
            return self.put(key, first).await;
        }
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(failed)?;
        let id = begun.upload_id().unwrap_or_default().to_owned();
        let sent = self.put_parts(key, &id, first, &mut file).await;
        if sent.is_err() {
            let aborted = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(key.as_str())
                .upload_id(&id)
                .send()
                .await;
            if let Err(error) = aborted {
                // The service keeps the parts; they cost space and harm nothing.
                tracing::warn!(error = %failed(error), "a broken upload could not be removed");
            }
        }
        sent
    }

    async fn put_parts(
        &self,
        key: &Key,
        id: &str,
        first: Bytes,
        file: &mut tokio::fs::File,
    ) -> Result<(), ObjectsError> {
        let mut parts = Vec::new();
        let mut bytes = first;
        for number in 1.. {
            let part = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(key.as_str())
                .upload_id(id)
                .part_number(number)
                .body(ByteStream::from(bytes))
                .send()
                .await
                .map_err(failed)?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag)
                .build();
            parts.push(part);
            bytes = read_part(file).await?;
            if bytes.is_empty() {
                break;
            }
        }
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .upload_id(id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    pub(super) async fn get(
        &self,
        key: &Key,
        range: Option<(u64, u64)>,
    ) -> Result<Bytes, ObjectsError> {
        let range = range.map(|(offset, length)| {
            format!("bytes={offset}-{}", offset.saturating_add(length) - 1)
        });
        let object = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .set_range(range)
            .send()
            .await
            .map_err(failed)?;
        let body = object
            .body
            .collect()
            .await
            .map_err(|error| ObjectsError::Service(error.to_string()))?;
        Ok(body.into_bytes())
    }

    pub(super) async fn size(&self, key: &Key) -> Result<u64, ObjectsError> {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(failed)?;
        u64::try_from(head.content_length().unwrap_or(0))
            .map_err(|_| ObjectsError::Service("a negative length".into()))
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<(), ObjectsError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }
}

/// The next part of a file; shorter at its end, empty after it.
async fn read_part(file: &mut tokio::fs::File) -> Result<Bytes, ObjectsError> {
    use tokio::io::AsyncReadExt as _;
    let mut part = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut part).await?;
    Ok(part.into())
}

fn failed<E>(error: SdkError<E>) -> ObjectsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let missing = error
        .raw_response()
        .is_some_and(|response| response.status().as_u16() == 404)
        && error.code() != Some("NoSuchBucket");
    if missing {
        ObjectsError::NotFound
    } else {
        ObjectsError::Service(DisplayErrorContext(&error).to_string())
    }
}
