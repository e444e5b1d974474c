/// `safeguards.allow_delete: false`: commands that delete are refused, wherever in the line they stand.
///
/// A guard against slips. What a variable, a script or an interpreter would run is not known here; a line that cannot be
/// read is refused where a deleting program stands in it as a word, else it passes.
public enum DestructiveCommand {
    /// Throws where a command of the line, or one that it runs, deletes.
    ///
    /// - Parameter input: what the line gets as its standard input, where a shell in it may read commands.
    public static func judge(_ command: String, input: String = "", allowed: Bool, host: String) throws(Refusal) {
        guard !allowed else { return }
        let search = DeletionSearch(command.utf8, input: input.utf8)
        guard let found = search.found else { return }
        let unread = search.isUnreadable ? " (the command could not be read to its end: are its quotes closed?)" : ""
        throw Refusal(
            description:
                "\"\(found.prefix(200))\" deletes data and is refused on \"\(host)\" while safeguards.allow_delete is false\(unread). "
                + "If this is really wanted, ask the user to do it or to set safeguards.allow_delete to true.",
            rule: "allow_delete")
    }
}
