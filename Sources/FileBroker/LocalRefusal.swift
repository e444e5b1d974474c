/// Why a local file was not opened, as a sentence for the model.
struct LocalRefusal: Error, Equatable {
    let sentence: String
    /// The rule that refused; empty if something failed.
    var rule = ""
}
