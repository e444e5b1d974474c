public import IPC

/// Refuses commands that delete while `safeguards.allow_delete` is false, wherever in the line they stand.
///
/// This is a guard against slips. It does not know what a variable, a script or an interpreter would run. A line that
/// cannot be read is refused if a deleting program stands in it as a word; else it passes.
public enum DestructiveCommand {
    /// Throws if a command of the line, or one that it runs, deletes.
    ///
    /// - Parameter input: the standard input of the line. A shell in the line may read commands from it.
    public static func judge(_ command: String, input: String = "", allowed: Bool, host: String) throws(GateRefusal) {
        guard !allowed else { return }
        let search = DeletionSearch(command.utf8, input: input.utf8)
        guard let found = search.found else { return }
        throw GateRefusal(
            host: host,
            .deletes(found: String(found.prefix(GateRefusal.shown)), isUnreadable: search.isUnreadable))
    }
}
