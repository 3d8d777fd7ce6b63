//! `millet`: the one program of the server.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use millet_server::app::{self, demo, observe, operator, routes};
use millet_server::config::{Config, Settings};
use millet_server::db::Db;
use tokio::signal::unix::{SignalKind, signal};

/// A cloud classroom that fits through a rural link
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// TOML file with settings; MILLET_CONFIG names one too
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGINT or SIGTERM
    Serve {
        #[command(flatten)]
        common: Common,
        /// Fill an empty installation with content to look at, and print how to sign in
        #[arg(long)]
        demo: bool,
    },
    /// Print the effective settings, with secrets masked
    Config {
        #[command(flatten)]
        common: Common,
    },
    /// Bring the database up to date and stop
    Migrate {
        #[command(flatten)]
        common: Common,
    },
    /// Accounts of administrators
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// The log of who read or changed what
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Print the route table
    Routes {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Make an administrator; without --password-stdin a password is made up and printed once
    Create {
        #[command(flatten)]
        common: Common,
        /// Name that people see
        #[arg(long)]
        name: String,
        /// Name to sign in with; by default the name without spaces, in small letters
        #[arg(long)]
        sign_in_name: Option<String>,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check that no entry was changed or removed
    Verify {
        #[command(flatten)]
        common: Common,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("millet: {error}");
    ExitCode::FAILURE
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve { common, demo } => serve(common.load()?, demo).await,
        Command::Config { common } => {
            print!("{}", common.load()?.masked()?);
            Ok(())
        }
        Command::Migrate { common } => {
            let config = common.load()?;
            let db = Db::open(&config.database_url).await?;
            db.migrate().await?;
            db.close().await;
            println!("The database is up to date.");
            Ok(())
        }
        Command::Admin {
            command:
                AdminCommand::Create {
                    common,
                    name,
                    sign_in_name,
                    password_stdin,
                },
        } => {
            let password = match password_stdin {
                true => Some(operator::password_from_stdin()?),
                false => None,
            };
            let db = Db::open(&common.load()?.database_url).await?;
            db.migrate().await?;
            let made =
                operator::create_administrator(&db, &name, sign_in_name.as_deref(), password)
                    .await?;
            db.close().await;
            println!("sign-in name: {}", made.sign_in_name);
            if let Some(password) = made.password {
                println!("password: {password}");
            }
            Ok(())
        }
        Command::Audit {
            command: AuditCommand::Verify { common },
        } => match operator::verify_audit(&common.load()?).await? {
            None => {
                println!("Every entry fits.");
                Ok(())
            }
            Some(number) => Err(format!("entry {number} was changed or is missing").into()),
        },
        Command::Routes { json } => {
            for row in routes::table() {
                if json {
                    println!(
                        r#"{{"method":"{}","path":"{}","access":{}}}"#,
                        row.method,
                        row.path,
                        serde_json::to_string(&row.access)?
                    );
                } else {
                    println!("{:7} {:60} {:?}", row.method.as_str(), row.path, row.access);
                }
            }
            Ok(())
        }
    }
}

async fn serve(config: Config, with_demo: bool) -> Result<(), Failure> {
    observe::start_log(&config);
    let metrics = observe::start_metrics()?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let running = app::start(config, metrics).await?;
    if with_demo {
        let filled = tokio::select! {
            filled = Box::pin(demo::fill(&running.app)) => Some(filled),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
        };
        match filled {
            Some(Ok(sign_ins)) => print_sign_ins(&sign_ins),
            Some(Err(error)) => {
                running.stop().await;
                return Err(error.into());
            }
            None => {
                running.stop().await;
                return Ok(());
            }
        }
    }
    // Scripts and tests wait for these two lines; they must not sit in a buffer.
    println!("listening on http://{}", running.address);
    if let Some(address) = running.rtmp_address {
        println!("encoders on rtmp://{address}/live");
    }
    println!("admin on http://{}", running.admin_address);
    std::io::stdout().flush()?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

fn print_sign_ins(sign_ins: &demo::SignIns) {
    println!(
        "\nDemo sign-ins, all with the password {}:",
        sign_ins.password
    );
    for (name, what) in &sign_ins.names {
        println!("  {name:10} {what}");
    }
    println!();
}

impl Common {
    fn load(&self) -> Result<Config, millet_server::config::ConfigError> {
        Config::load(self.config.as_deref(), &self.settings)
    }
}
