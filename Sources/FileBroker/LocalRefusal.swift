/// Why a local file is not opened, as a sentence for the model.
struct LocalRefusal: Error, Equatable {
    let sentence: String
    /// The rule that refuses; empty where something failed.
    var rule = ""
}
