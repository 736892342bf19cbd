//! The questions that opstream has.

use std::time::Duration;

use opstream_schemas::avro::{BUILTIN_SCHEMAS, RESERVED_IDS, SchemaId, WriterSchema};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use url::Url;

use crate::address::{Credentials, RegistryAddress};
use crate::answer::Question;
use crate::error::RegistryError;

/// Time to reach the address at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one answer; a registry has its schemas in memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const REGISTRY_JSON: &str = "application/vnd.schemaregistry.v1+json";

/// A registry that can be asked. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Registry {
    client: reqwest::Client,
    address: RegistryAddress,
    shown: String,
}

/// A schema as a subject has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// What records carry.
    pub id: SchemaId,
    /// Version within the subject, from 1.
    pub version: u32,
}

#[derive(Deserialize)]
struct IdAnswer {
    id: u32,
}

#[derive(Deserialize)]
struct LookupAnswer {
    id: u32,
    version: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaAnswer {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<IgnoredAny>>,
}

/// Servers answer the first to a question and the second to a change.
#[derive(Deserialize)]
struct LevelAnswer {
    #[serde(rename = "compatibilityLevel", alias = "compatibility")]
    level: String,
}

impl Registry {
    /// Prepares to ask; connects to nothing yet.
    ///
    /// # Errors
    /// When no client can be made, for instance because the system's certificates cannot be read.
    pub fn open(address: RegistryAddress) -> Result<Self, RegistryError> {
        let shown = address.to_string();
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // Credentials go to the address that was named and nowhere else.
            .redirect(Policy::none());
        if address.is_loopback() {
            // A company's proxy cannot reach this machine's own addresses.
            client = client.no_proxy();
        }
        let question = Question { registry: &shown, subject: "", what: "anything" };
        let client = client.build().map_err(|error| question.unavailable(&error))?;
        Ok(Self { client, address, shown })
    }

    /// The schema that records with this id are written with.
    ///
    /// # Errors
    /// `NotFound` when no schema has the id; the others say nothing about the id.
    pub async fn schema(&self, id: SchemaId) -> Result<WriterSchema, RegistryError> {
        let path = format!("schemas/ids/{id}");
        let what = format!("schema with id {id}");
        let SchemaAnswer { schema, schema_type, references } = self.ask(Method::GET, &path, ("", &what), None).await?;
        Ok(WriterSchema {
            schema_type: schema_type.unwrap_or_else(|| "AVRO".to_owned()),
            text: schema,
            has_references: references.is_some_and(|references| !references.is_empty()),
        })
    }

    /// Where this schema is registered in the subject, as far as the registry has the schema under that id too.
    ///
    /// # Errors
    /// `NotFound` when the subject, or the schema in it, is not there; `OtherSchema` when the id is that of another one.
    pub async fn look_up(&self, subject: &str, schema: &str) -> Result<Registered, RegistryError> {
        let path = format!("subjects/{}", segment(subject));
        let what = format!("schema of this version in the subject {subject}");
        let body = json!({ "schema": schema });
        let LookupAnswer { id, version } = self.ask(Method::POST, &path, (subject, &what), Some(body)).await?;
        let id = self.checked(subject, schema, id)?;
        self.confirm(subject, schema, id).await?;
        Ok(Registered { id, version })
    }

    /// Registers this schema in the subject, which is made when it is not there. Does nothing when it is registered already.
    ///
    /// # Errors
    /// `Incompatible` when the subject's rule does not allow it, `Refused` when the registry takes no schemas.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let path = format!("subjects/{}/versions", segment(subject));
        let what = format!("place for schemas of the subject {subject}");
        let body = json!({ "schema": schema });
        let IdAnswer { id } = self.ask(Method::POST, &path, (subject, &what), Some(body)).await?;
        self.checked(subject, schema, id)
    }

    /// The subject's own rule of compatibility, such as `FULL_TRANSITIVE`; none when the registry's general one holds.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn compatibility(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let path = format!("config/{}", segment(subject));
        let what = format!("compatibility level of {subject}");
        match self.ask::<LevelAnswer>(Method::GET, &path, (subject, &what), None).await {
            Ok(LevelAnswer { level }) => Ok(Some(level)),
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the subject a rule of its own.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryError> {
        let path = format!("config/{}", segment(subject));
        let what = format!("the compatibility level {level} of {subject}");
        let body = json!({ "compatibility": level });
        self.ask::<LevelAnswer>(Method::PUT, &path, (subject, &what), Some(body)).await.map(drop)
    }

    /// Refuses an id that means something else to every opstream.
    fn checked(&self, subject: &str, schema: &str, id: u32) -> Result<SchemaId, RegistryError> {
        let id = SchemaId(id);
        // The api's own registry gives the built-in ids.
        let is_builtin = BUILTIN_SCHEMAS.iter().any(|builtin| builtin.id == id && builtin.text == schema);
        if RESERVED_IDS.contains(&id.0) && !is_builtin {
            return Err(RegistryError::ReservedId { registry: self.shown.clone(), subject: subject.to_owned(), id });
        }
        Ok(id)
    }

    /// Looks whether the id leads back to the schema: whoever writes under a wrong one makes dead letters of everything.
    async fn confirm(&self, subject: &str, schema: &str, id: SchemaId) -> Result<(), RegistryError> {
        match self.schema(id).await {
            Ok(found) if is_same_schema(&found.text, schema) => Ok(()),
            Ok(_) => Err(RegistryError::OtherSchema { registry: self.shown.clone(), subject: subject.to_owned(), id }),
            // A replica that lags behind.
            Err(RegistryError::NotFound { registry, what }) => {
                let reason = format!("it has no {what}, which it has just named");
                Err(RegistryError::Unavailable { registry, reason })
            }
            Err(error) => Err(error),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        (subject, what): (&str, &str),
        body: Option<Value>,
    ) -> Result<T, RegistryError> {
        let question = Question { registry: &self.shown, subject, what };
        let mut request = self.authorised(self.client.request(method, self.at(path))).header("accept", REGISTRY_JSON);
        if let Some(body) = body {
            request = request.header("content-type", REGISTRY_JSON).body(body.to_string());
        }
        let response = request.send().await.map_err(|error| question.unavailable(&error))?;
        question.read(response).await
    }

    fn at(&self, path: &str) -> Url {
        self.address.base.join(path).expect("our paths are plain relative paths")
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.address.credentials {
            // Those in the address are sent by the client itself.
            None => request,
            Some(Credentials::Basic { user, password }) => request.basic_auth(user, Some(password)),
            Some(Credentials::Bearer { token }) => request.bearer_auth(token),
        }
    }
}

/// Whether both say the same but for their comments, which some registries leave out.
fn is_same_schema(one: &str, other: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str(text).map(without_comments).ok();
    parsed(one).is_some_and(|one: Value| Some(one) == parsed(other))
}

fn without_comments(schema: Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(name, _)| name != "doc");
            Value::Object(members.map(|(name, value)| (name, without_comments(value))).collect())
        }
        Value::Array(elements) => elements.into_iter().map(without_comments).collect(),
        other => other,
    }
}

/// A subject as one segment of a path: the names of ours need no more than this.
fn segment(subject: &str) -> String {
    url::form_urlencoded::byte_serialize(subject.as_bytes()).collect()
}

impl std::fmt::Display for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shown.fmt(f)
    }
}
