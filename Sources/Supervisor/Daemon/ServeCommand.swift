/// `claude-ssh-daemon` without a sub-command.
package enum ServeCommand {
    /// Serves until a signal ends it.
    /// - Parameter logLevel: the least severe level that is logged.
    /// - Returns: the exit status: 0 after a stop, 1 if the daemon cannot start, 2 if the config cannot be used.
    package static func run(configPath: String, environment: [String: String], logLevel: LogLevel) -> Int32 {
        Log.begin(level: logLevel, environment: environment)
        do {
            let loaded = try ConfigFile.load(configPath, environment: environment)
            let roots = RootDirectory.mistakes(in: loaded)
            guard roots.isEmpty else { throw ConfigError(path: configPath, mistakes: roots) }
            try Startup.check(loaded)
            Startup.warn(loaded)
            let worker = try Startup.workerProgram()
            let gate = try Startup.gateProgram()
            let mistakes = PatternCheck.mistakes(in: loaded.policy)
            guard mistakes.isEmpty else { throw ConfigError(path: configPath, mistakes: mistakes) }
            let daemon = try Daemon(
                config: loaded, configPath: configPath, environment: environment, workerProgram: worker,
                gateProgram: gate)
            daemon.run()
            return 0
        } catch let error as ConfigError {
            PatternCheck.completed(error).log("config cannot be used")
            return 2
        } catch let error as StartError {
            Log.write(.error, "cannot start", ["path": .text(configPath), "error": .text(error.sentence)])
            return 1
        } catch {
            Log.write(.error, "cannot start", ["path": .text(configPath), "error": .text("\(error)")])
            return 1
        }
    }
}
